/** Whether the version in a text is at least this one. A text without any is taken for new enough. */
export function isAtLeast(text: string, least: readonly number[]): boolean {
  const numbers = /\d+(?:\.\d+)*/.exec(text)?.[0].split(".").map(Number);
  if (numbers === undefined) return true;
  const differing = least.findIndex((number, index) => (numbers[index] ?? 0) !== number);
  return differing < 0 || (numbers[differing] ?? 0) > (least[differing] ?? 0);
}
