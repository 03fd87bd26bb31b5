import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from "node:fs";

/** @param {string} file @param {object} entry */
export function note(file, entry) {
  appendFileSync(file, `${JSON.stringify(entry)}\n`);
}

/** The entries of a log; a line that a kill cut short is left out. @param {string} file @returns {unknown[]} */
export function readNotes(file) {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").flatMap(parse) : [];
}

/** What was added to a log since the last look. @param {string} file @returns {() => unknown[]} */
export function follow(file) {
  let offset = 0;
  return () => {
    const fresh = readFrom(file, offset);
    const whole = fresh.subarray(0, fresh.lastIndexOf("\n") + 1);
    offset += whole.length;
    return whole.toString().split("\n").flatMap(parse);
  };
}

/** @param {string} file @param {number} offset */
function readFrom(file, offset) {
  if (!existsSync(file)) return Buffer.alloc(0);
  const handle = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(Math.max(0, fstatSync(handle).size - offset));
    return bytes.subarray(0, readSync(handle, bytes, 0, bytes.length, offset));
  } finally {
    closeSync(handle);
  }
}

/** @param {string} line @returns {unknown[]} */
function parse(line) {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}
