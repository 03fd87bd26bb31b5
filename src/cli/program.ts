import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { packageFile } from "../core/package-file.ts";
import type { OnEnd } from "./declare.ts";
import { declarePool } from "./declare-pool.ts";
import { declareHelpers, declareRunning } from "./declare-set-up.ts";
import { declareChanging, declareReading } from "./declare-tasks.ts";
import { EXIT } from "./exit.ts";

const MANIFEST = packageFile("package.json");

/** Runs the command line to its end, and returns its exit code. @throws {QueueError} what a verb met */
export async function runProgram(): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await createProgram((ended) => {
      code = ended;
    }).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help was asked for, or the command line makes no sense; either way commander has said so.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return code;
}

/**
 * The `ccl-queue` command. `onEnd` is told the exit code of a verb that ends in several ways. Verbs load when they are
 * called, so that help and completion stay quick.
 */
export function createProgram(onEnd: OnEnd = () => {}): Command {
  const program = new Command("ccl-queue")
    .description("A durable queue for fleets of Claude Code sessions")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "ccl-queue: ")) })
    .exitOverride()
    .version(/"version": "(.+)"/.exec(readFileSync(MANIFEST, "utf8"))?.[1] ?? "unknown");
  declareRunning(program.commandsGroup("The queue itself:"));
  declareChanging(program.commandsGroup("Tasks:"), onEnd);
  declareReading(program);
  declarePool(program.commandsGroup("The pool:"), onEnd);
  declareHelpers(program.commandsGroup("Help:").helpCommand("help [verb]", "explain a verb"), onEnd);
  return program;
}
