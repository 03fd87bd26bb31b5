import { Argument, type Command, Option } from "commander";
import { SHELLS, type Shell } from "./completion/shells.ts";
import { type OnEnd, withConfig, withExamples, withJson } from "./declare.ts";
import type { DoctorOptions } from "./doctor.ts";
import type { StartOptions } from "./start.ts";

/** The verbs that run the queue. */
export function declareRunning(program: Command): void {
  const start = withConfig(program.command("start").description("run the queue in the foreground"))
    .addOption(new Option("--or-demo").hideHelp())
    .action(async (options: StartOptions) => (await import("./start.ts")).start(options));
  withExamples(start, [["start -c queue.yaml", "with a configuration of your own"]]);
  const init = program
    .command("init")
    .description("write a commented ccl-queue.yaml for your projects")
    .argument("[file]", "where to write it", "ccl-queue.yaml")
    .action(async (file: string) => (await import("./init.ts")).init(file));
  withExamples(init, [
    ["init", "writes ./ccl-queue.yaml"],
    ["init ~/.config/ccl-queue/config.yaml", "where it is found from everywhere"],
  ]);
  const demo = program
    .command("demo")
    .description("run the queue on the bundled demo project with the demo agent")
    .action(async () => (await import("./demo.ts")).demo());
  withExamples(demo, [["demo", "needs no login and no configuration"]]);
}

/** The verbs that help to set it up. */
export function declareHelpers(program: Command, onEnd: OnEnd): void {
  const doctor = withJson(program.command("doctor").description("check what the queue needs, and say how to mend it"))
    .option("--repair", "make good what Redis has lost, and say what that was")
    .action(async (options: DoctorOptions) => onEnd(await (await import("./doctor.ts")).doctor(options)));
  withExamples(doctor, [
    ["doctor", "before the first start, and when something is odd"],
    ["doctor --repair", "after Redis was emptied or restored from a backup"],
    ["doctor --json", "ends with 1 where something must be mended"],
  ]);
  const completion = program
    .command("completion")
    .description("print a script that lets your shell complete commands")
    .addArgument(new Argument("<shell>", "which one").choices(SHELLS))
    // The script itself asks: after -- come the words so far, the last of which is to be completed.
    .allowExcessArguments()
    .action(async (shell: Shell, _options: object, command: Command) =>
      (await import("./completion.ts")).completion(shell, program, command.args.slice(1)),
    );
  withExamples(completion, [
    ["completion bash > ~/.local/share/bash-completion/completions/ccl-queue", "bash"],
    ["completion zsh > ~/.zfunc/_ccl-queue", "zsh, with ~/.zfunc in $fpath"],
    ["completion fish > ~/.config/fish/completions/ccl-queue.fish", "fish"],
  ]);
}
