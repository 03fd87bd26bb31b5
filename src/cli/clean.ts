const CONTROL = /[\p{Cc}\u2028\u2029]/gu;
/** What turns the direction of the text around it, so that it reads as something else. */
const DIRECTION = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;

/** A text of somebody else's as one line that cannot steer the terminal. */
export function cleanLine(text: string): string {
  return text.replace(CONTROL, " ").replace(DIRECTION, "");
}

/** The same as lines. */
export function cleanLines(text: string): string[] {
  return text.trimEnd().replaceAll("\t", "    ").split(/\r?\n/).map(cleanLine);
}

/** JSON says the same with each of these escaped. */
export function cleanJson(json: string): string {
  return json.replace(/[\u007F-\u009F\u2028\u2029]/g, escaped).replace(DIRECTION, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
