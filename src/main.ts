#!/usr/bin/env node
import { createProgram } from "./cli/program.ts";
import { messageOf, QueueError } from "./core/errors.ts";

try {
  await createProgram().parseAsync();
} catch (error) {
  const code = error instanceof QueueError ? ` [${error.code}]` : "";
  const hint = error instanceof QueueError && error.hint !== null ? `\n  ${error.hint}` : "";
  process.stderr.write(`ccl-queue: ${messageOf(error)}${code}${hint}\n`);
  process.exitCode = 1;
}
