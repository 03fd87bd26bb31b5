import { Argument, type Command } from "commander";
import type { AttachOptions } from "./attach.ts";
import { type OnEnd, withConfig, withExamples, withJson } from "./declare.ts";
import type { SessionsOptions } from "./sessions.ts";
import type { StatusOptions } from "./status.ts";

/** The verbs that look at the pool, and hold it. */
export function declarePool(program: Command, onEnd: OnEnd): void {
  const status = withJson(program.command("status").description("show how the queue stands"))
    .option("-a, --all", "every host on this Redis, of every workspace")
    .option("-w, --watch", "again each second, until Ctrl-C")
    .option("--exit-code", "end with 5 when the verdict is not ok")
    .action(async (options: StatusOptions) => onEnd(await (await import("./status.ts")).status(options)));
  withExamples(status, [
    ["status --watch", "keep an eye on it"],
    ["status --exit-code > /dev/null || notify", "for a watchdog"],
  ]);
  const sessions = withJson(
    program.command("sessions").description("list the sessions of the pool, and what runs in them"),
  ).action(async (options: SessionsOptions) => (await import("./sessions.ts")).sessions(options));
  withExamples(sessions, [["sessions", "who works on what"]]);
  const attach = withConfig(program.command("attach").description("show a session in this terminal"))
    .addArgument(new Argument("<session|task>", "a session's name, or a task that runs"))
    .option("-r, --read-only", "only look: what you type goes nowhere")
    .action(async (text: string, options: AttachOptions) =>
      onEnd(await (await import("./attach.ts")).attach(text, options)),
    );
  withExamples(attach, [
    ["attach -r fix.md", "look over the shoulder of its agent"],
    ["attach ccl-auto-11", "answer a question; Ctrl-b d leaves"],
  ]);
  const hold = withConfig(program.command("hold").description("launch no more tasks; what runs goes on"))
    .argument("[message...]", "why, for the others")
    .action(async (words: string[], options: { config?: string }) => (await import("./hold.ts")).hold(words, options));
  withExamples(hold, [["hold updating the compiler", "until ccl-queue resume"]]);
  const resume = withConfig(program.command("resume").description("end a hold, also one of a usage limit")).action(
    async (options: { config?: string }) => (await import("./resume.ts")).resume(options),
  );
  withExamples(resume, [["resume", "tasks are launched again"]]);
  const adopt = withConfig(program.command("adopt").description("take over what a dead host had running"))
    .requiredOption("--host <name>", "the host's name, as status --all has it")
    .action(async (options: { config?: string; host: string }) => (await import("./adopt.ts")).adopt(options));
  withExamples(adopt, [["adopt --host build-2-1f3c9a", "at once, where it is known to be dead"]]);
}
