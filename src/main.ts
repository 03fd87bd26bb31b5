#!/usr/bin/env node
import { exitCodeOf } from "./cli/exit.ts";
import { complain } from "./cli/print.ts";
import { runProgram } from "./cli/program.ts";

// Whoever read our output may have gone: that ends the output, not the queue.
process.stdout.on("error", () => {});

try {
  process.exitCode = await runProgram();
} catch (error) {
  complain(error);
  process.exitCode = exitCodeOf(error);
}
// A run that is still being finished must not hold up the end: the next start goes on with it.
process.exit();
