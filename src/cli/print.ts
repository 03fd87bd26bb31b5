import { messageOf, QueueError } from "../core/errors.ts";
import { cleanJson, cleanLines } from "./clean.ts";
import { UsageError } from "./exit.ts";

/** Writes lines to stdout. They may have colours, so what others wrote must be clean by now. */
export function printLines(lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
}

/** Writes a value to stdout as JSON that people can read, too. */
export function printJson(value: object): void {
  process.stdout.write(`${cleanJson(JSON.stringify(value, null, 2))}\n`);
}

/** Writes a value to stdout as one line of JSON. */
export function printJsonLine(value: object): void {
  process.stdout.write(`${cleanJson(JSON.stringify(value))}\n`);
}

/** Says on stderr what went wrong, its code, and what to do about it. */
export function complain(error: unknown): void {
  const code = error instanceof QueueError ? ` [${error.code}]` : "";
  const hint = error instanceof QueueError ? error.hint : null;
  const lines = [`ccl-queue: ${messageOf(error)}${code}`, ...(hint === null ? [] : [`  ${hint}`])];
  const usage = error instanceof UsageError ? ["  --help shows how it is called"] : [];
  process.stderr.write(`${cleanLines([...lines, ...usage].join("\n")).join("\n")}\n`);
}

/** Says something on stderr that is no error. */
export function remark(text: string): void {
  process.stderr.write(`ccl-queue: ${cleanLines(text).join("\n")}\n`);
}
