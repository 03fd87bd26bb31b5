import { Command, Option } from "commander";
import type { StartOptions } from "./start.ts";
import type { StatusOptions } from "./status.ts";

/** The `ccl-queue` command. Verbs load when they are called, so that help and completion stay quick. */
export function createProgram(): Command {
  const program = new Command("ccl-queue").description("A durable queue for fleets of Claude Code sessions");
  withConfig(program.command("start").description("run the queue in the foreground"))
    .addOption(new Option("--or-demo").hideHelp())
    .action(async (options: StartOptions) => (await import("./start.ts")).start(options));
  program
    .command("init")
    .description("write a commented ccl-queue.yaml for your projects")
    .argument("[file]", "where to write it", "ccl-queue.yaml")
    .action(async (file: string) => (await import("./init.ts")).init(file));
  program
    .command("demo")
    .description("run the queue on the bundled demo project with the demo agent")
    .action(async () => (await import("./demo.ts")).demo());
  withConfig(program.command("status").description("show how the queue stands"))
    .option("--json", "as JSON")
    .action(async (options: StatusOptions) => (await import("./status.ts")).status(options));
  withConfig(program.command("cancel").description("end tasks that wait or run; their files go to failed/"))
    .argument("<task...>", "a file of an inbox (fix.md, site/fix.md, a path), or the beginning of a job's id")
    .action(async (tasks: string[], options) => (await import("./cancel.ts")).cancel(tasks, options));
  return program;
}

function withConfig(command: Command): Command {
  return command.option(
    "-c, --config <file>",
    "the configuration file (default: ./ccl-queue.yaml, then ~/.config/ccl-queue/config.yaml)",
  );
}
