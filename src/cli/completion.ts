import type { Command } from "commander";
import { candidatesFor } from "./completion/candidates.ts";
import { SCRIPTS } from "./completion/scripts.ts";
import type { Shell } from "./completion/shells.ts";

/**
 * `ccl-queue completion`: the script for a shell. The script asks in turn, with the words of the command line so far:
 * then the answer is a line for each way to go on, and a last one that says whether files are, too.
 */
export async function completion(shell: Shell, program: Command, words: readonly string[]): Promise<void> {
  if (words.length === 0) {
    process.stdout.write(SCRIPTS[shell]);
    return;
  }
  const { values, files } = await candidatesFor(program, words);
  const lines = values.map(({ value, about }) => `${value}\t${about}\n`);
  process.stdout.write(`${lines.join("")}${files ? ":files" : ":only"}\n`);
}
