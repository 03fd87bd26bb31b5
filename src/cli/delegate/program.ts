import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { parseDurationMs } from "../../core/duration.ts";
import { PROVIDERS } from "../../core/route.ts";
import { PRIORITIES } from "../../core/task.ts";
import { isIdempotencyKey, isJobId } from "../../workers/secutools/ids.ts";
import { EXIT } from "./exit.ts";
import type { ResultOptions } from "./result.ts";
import type { CommonOptions } from "./settings.ts";
import type { SubmitOptions } from "./submit.ts";

const HOUR_MS = 3_600_000;

/** Runs the command line to its end, and returns its exit code. @throws {QueueError} what a verb met */
export async function runDelegate(): Promise<number> {
  let code: number = EXIT.ok;
  try {
    await createDelegateProgram((ended) => {
      code = ended;
    }).parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help was asked for, or the command line makes no sense; either way commander has said so.
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  return code;
}

/** The `ccl-delegate` command. `onEnd` is told each verb's exit code. Verbs load when they are called. */
export function createDelegateProgram(onEnd: (code: number) => void): Command {
  const program = new Command("ccl-delegate")
    .description("Hands single tasks to the secutools platform, and fetches what came of them")
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "ccl-delegate: ")) })
    .exitOverride();
  verb(program, "submit", "hand in a task file, and print the job's id")
    .argument("<file>", "the task file, - for stdin")
    .addOption(new Option("--provider <provider>", "who does it, whatever the file says").choices(PROVIDERS))
    .addOption(new Option("--priority <priority>", "how urgent it is, whatever the file says").choices(PRIORITIES))
    .option("--key <key>", "submissions with the same key are one job (default: made of content and path)", toKey)
    .action(async (file: string, options: SubmitOptions) =>
      onEnd(await (await import("./submit.ts")).submit(file, options)),
    );
  verb(program, "get", "say how a job stands")
    .argument("<id>", "the job's id", toJobId)
    .action(async (id: string, options: CommonOptions) => onEnd(await (await import("./get.ts")).get(id, options)));
  verb(program, "result", "print the result of a job")
    .argument("<id>", "the job's id", toJobId)
    .option("--wait", "until the job is over")
    .addOption(
      new Option("--timeout <duration>", "how long to wait at most; implies --wait")
        .argParser(toDurationMs)
        .default(HOUR_MS, "1h")
        .implies({ wait: true }),
    )
    .action(async (id: string, options: ResultOptions) =>
      onEnd(await (await import("./result.ts")).result(id, options)),
    );
  verb(program, "cancel", "cancel a job")
    .argument("<id>", "the job's id", toJobId)
    .action(async (id: string, options: CommonOptions) =>
      onEnd(await (await import("./cancel.ts")).cancel(id, options)),
    );
  verb(program, "decide", "say who would do a task, and why; hands in nothing")
    .argument("<file>", "the task file, - for stdin")
    .action(async (file: string, options: CommonOptions) =>
      onEnd(await (await import("./decide.ts")).decideFile(file, options)),
    );
  return program;
}

function verb(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option(
      "-c, --config <file>",
      "the configuration file (default: ./ccl-queue.yaml, then ~/.config/ccl-queue/config.yaml)",
    )
    .option("--json", "print one line of JSON");
}

function toJobId(text: string): string {
  if (isJobId(text)) return text;
  throw new InvalidArgumentError("An id is up to 128 letters, digits and . _ : -");
}

function toKey(text: string): string {
  if (isIdempotencyKey(text)) return text;
  throw new InvalidArgumentError("A key is up to 255 visible ASCII characters.");
}

function toDurationMs(text: string): number {
  const ms = parseDurationMs(text);
  if (ms !== null && ms > 0) return ms;
  throw new InvalidArgumentError("A duration is a number and a unit, such as 30s, 5m or 2h.");
}
