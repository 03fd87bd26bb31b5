import { oneLine } from "../../core/one-line.ts";

/** How much is shown of a text that somebody else wrote. */
const MAX_SHOWN = 500;

/** Writes to stdout, as whole lines, and waits until it is out: a result may be large and its reader slow. */
export async function print(text: string): Promise<void> {
  if (text === "") return;
  // Whoever read it may have gone: that is no error of ours.
  await new Promise<void>((resolve) => {
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`, () => resolve());
  });
}

/** Writes a value to stdout as one line of JSON. */
export async function printJson(value: object): Promise<void> {
  await print(JSON.stringify(value));
}

/** Writes names and values to stdout as columns, without those that are not known. */
export async function printTable(table: Readonly<Record<string, string | null>>): Promise<void> {
  const width = Math.max(...Object.keys(table).map((name) => name.length));
  const known = Object.entries(table).flatMap(([name, value]) =>
    value === null ? [] : [[name, oneLine(value, MAX_SHOWN)] as const],
  );
  await print(known.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n"));
}

/** Says on stderr what a person should know. */
export function complain(text: string): void {
  process.stderr.write(`ccl-delegate: ${oneLine(text, MAX_SHOWN)}\n`);
}
