#!/usr/bin/env node
import { createProgram } from "./cli/program.ts";
import { messageOf, QueueError } from "./core/errors.ts";

// Whoever read our output may have gone: that ends the output, not the queue.
process.stdout.on("error", () => {});

try {
  await createProgram().parseAsync();
} catch (error) {
  const code = error instanceof QueueError ? ` [${error.code}]` : "";
  const hint = error instanceof QueueError && error.hint !== null ? `\n  ${error.hint}` : "";
  process.stderr.write(`ccl-queue: ${messageOf(error)}${code}${hint}\n`);
  process.exitCode = 1;
}
// A run that is still being finished must not hold up the end: the next start goes on with it.
process.exit();
