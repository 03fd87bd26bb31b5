/** A text of somebody else's on one line of at most so many characters, without any that a terminal acts on. */
export function oneLine(text: string, maxLength = 200): string {
  const line = text.replaceAll(/[\p{C}\p{Z}]+/gu, " ").trim();
  if (line.length <= maxLength) return line;
  // Not with one half of a pair.
  return `${line.slice(0, maxLength - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
