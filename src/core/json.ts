/** The value in a JSON text, or null where it is none: for files that somebody else writes. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
