/** What stands in the place of the key. */
const HIDDEN = "[key]";

/** Takes the platform's key out of JSON texts, however they write it: some escape `/`, `=`, `+` or quotes in it. */
export function hiding(key: string): (json: string) => string {
  const pattern = new RegExp([...key].map(written).join(""), "g");
  return (json) => json.replace(pattern, HIDDEN);
}

/** How JSON may write a visible character: as it is, with a backslash where that is allowed, or by its number. */
function written(character: string): string {
  const hex = character.charCodeAt(0).toString(16).padStart(4, "0");
  const number = hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
  const plain = `\\u${hex}`;
  const escaped = { '"': `\\\\${plain}`, "\\": `\\\\${plain}`, "/": `\\\\?${plain}` }[character] ?? plain;
  return `(?:${escaped}|\\\\u${number})`;
}
