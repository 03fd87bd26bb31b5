/**
 * A file in done/ or failed/, read as a person reads it.
 * @typedef {object} Finished
 * @property {string} before the task's own text
 * @property {ReadonlyMap<string, string>} rows of its footer, by their names; none where there is no footer
 */

const START = "<!-- ccl-queue:footer -->";
const FOOTER = new RegExp(`\n\n${START}\n(?<table>[^]*)\n<!-- /ccl-queue:footer -->\n$`);

/** @param {string} text @returns {Finished} */
export function readFinished(text) {
  const found = FOOTER.exec(text.slice(text.lastIndexOf(`\n\n${START}`)));
  if (found === null) return { before: text, rows: new Map() };
  const cells = (found.groups?.["table"] ?? "").matchAll(/^\| (\S+) +\| (.*?) *\|$/gm);
  const rows = new Map(Array.from(cells, ([, name = "", value = ""]) => [name, value]));
  return { before: text.slice(0, text.length - found[0].length), rows };
}

/** The code that a footer's error begins with, or null. @param {Finished} finished */
export const errorCodeOf = ({ rows }) => /^([A-Z_]+): ./.exec(rows.get("error") ?? "")?.[1] ?? null;
