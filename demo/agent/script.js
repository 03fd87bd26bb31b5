/** @typedef {{ verb: string, arg: string }} Step */

/**
 * The lines of the form `agent: VERB ARG`, in order.
 * @param {string} prompt
 * @returns {Step[]}
 */
export function readScript(prompt) {
  const lines = prompt.matchAll(/^[ \t]*agent:[ \t]+(\S+)[ \t]*(.*)$/gm);
  return Array.from(lines, ([, verb = "", arg = ""]) => ({ verb, arg: arg.trimEnd() }));
}

/**
 * The id in the `[run ID]` line that the queue puts before a prompt.
 * @param {string} prompt
 */
export const runOf = (prompt) => /^\[run ([^\]]+)\]/.exec(prompt)?.[1] ?? null;

/**
 * The first line that somebody wrote.
 * @param {string} prompt
 */
export function firstLineOf(prompt) {
  const lines = prompt.replace(/^\[run [^\]]+\]/, "").split(/\r?\n/);
  return lines.find((line) => line.trim() !== "")?.trim() ?? "";
}

/** @param {string} text for example 500ms, 2s, 1.5m */
export function durationMs(text) {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`not a duration: "${text}" (try 500ms, 2s or 1m)`);
  return Number(amount) * ({ ms: 1, s: 1000, m: 60_000 }[unit] ?? 1);
}

/**
 * A script line is one line, so its text writes a line break as \n.
 * @param {string} text
 */
export const withLineBreaks = (text) => text.replaceAll("\\n", "\n");
