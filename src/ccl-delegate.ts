#!/usr/bin/env node
import { runDelegate } from "./cli/delegate/program.ts";
import { messageOf, QueueError } from "./core/errors.ts";

// Whoever read our output may have gone: that ends the output, and is no error.
process.stdout.on("error", () => {});

try {
  process.exitCode = await runDelegate();
} catch (error) {
  const code = error instanceof QueueError ? ` [${error.code}]` : "";
  const hint = error instanceof QueueError && error.hint !== null ? `\n  ${error.hint}` : "";
  process.stderr.write(`ccl-delegate: ${messageOf(error)}${code}${hint}\n`);
  process.exitCode = 1;
}
