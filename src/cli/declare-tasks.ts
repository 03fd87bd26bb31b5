import { type Command, Option } from "commander";
import type { TaskView } from "../control/task-view.ts";
import { PRIORITIES, TASK_STATES } from "../core/task.ts";
import type { AddOptions } from "./add.ts";
import { type OnEnd, someOf, taskArgument, wholeNumber, withConfig, withExamples, withJson } from "./declare.ts";
import type { ListOptions } from "./list.ts";
import type { LogsOptions } from "./logs.ts";
import type { RetryOptions } from "./retry.ts";
import type { RouteOptions } from "./route.ts";
import type { ShowOptions } from "./show.ts";

const MAX_LISTED = 10_000;
// Written here once more: the schemas would make every --help slower. A test holds them equal.
const ROUTES = ["local", "delegated"] as const satisfies TaskView["route"][];

/** The verbs that read tasks. */
export function declareReading(program: Command): void {
  const list = withJson(program.command("list").alias("ls").description("list the tasks that are not over"))
    .option("-a, --all", "also those that are over")
    .addOption(
      someOf("-s, --state <state>", "only those in this state; may be repeated, or several by commas", TASK_STATES),
    )
    .option("--project <project>", "only those of this project")
    .addOption(new Option("--route <route>", "only those that go this way").choices(ROUTES))
    .option("--tag <tag>", "only those with this tag")
    .addOption(wholeNumber("-n, --limit <number>", "how many at most", 1, MAX_LISTED).default(100))
    .action(async (options: ListOptions) => (await import("./list.ts")).list(options));
  withExamples(list, [
    ["list", "what waits and runs"],
    ["list -s failed --project site", "what failed in one project"],
    ["list --all --json", "for scripts"],
  ]);
  const show = withJson(program.command("show").description("show all that is known of a task"))
    .addArgument(taskArgument("<task>"))
    .action(async (task: string, options: ShowOptions) => (await import("./show.ts")).show(task, options));
  withExamples(show, [["show site/fix.md", "its route, its times, its prompt and its result"]]);
  const logs = withJson(program.command("logs").description("show what happened to a task"))
    .addArgument(taskArgument("<task>"))
    .option("-f, --follow", "go on until it is over")
    .action(async (task: string, options: LogsOptions) => (await import("./logs.ts")).logs(task, options));
  withExamples(logs, [["logs -f fix.md", "watch it at work"]]);
  const route = withJson(program.command("route").description("say who would do a task, and why; starts nothing"))
    .argument("<file>", "the task file, - for stdin")
    .action(async (file: string, options: RouteOptions) => (await import("./route.ts")).route(file, options));
  withExamples(route, [["route fix.md", "needs no daemon"]]);
}

/** The verbs that change tasks. */
export function declareChanging(program: Command, onEnd: OnEnd): void {
  const add = withJson(program.command("add").description("put a task into a project's inbox"))
    .argument("[text...]", "what is to be done; the name of a file that says so; or - for stdin")
    .addOption(new Option("-p, --priority <priority>", "how urgent it is, whatever the text says").choices(PRIORITIES))
    .option("--project <project>", "whose inbox (default: the project that you stand in)")
    .option("--name <name>", "what the file is called there")
    .option("--wait", "until the task is over, then print its result")
    .action(async (words: string[], options: AddOptions) =>
      onEnd(await (await import("./add.ts")).add(words, options)),
    );
  withExamples(add, [
    ['add "Fix the flaky login test."', "to the project that you stand in"],
    ["add -p critical --project site fix.md", "a file, into the inbox of site"],
    ["add --wait - < fix.md", "from stdin, and wait for the result"],
  ]);
  const retry = withConfig(program.command("retry").description("put tasks that are over back into the inbox"))
    .addArgument(taskArgument("[task...]"))
    .option("--all-failed", "every task that failed")
    .option("--project <project>", "with --all-failed: only those of this project")
    .action(async (tasks: string[], options: RetryOptions) =>
      onEnd(await (await import("./retry.ts")).retry(tasks, options)),
    );
  withExamples(retry, [
    ["retry site/fix.md", "runs it again, with fresh attempts"],
    ["retry --all-failed --project site", "everything that failed in one project"],
  ]);
  const cancel = withConfig(
    program.command("cancel").description("end tasks that are not over; their files go to failed/"),
  )
    .addArgument(taskArgument("<task...>"))
    .action(async (tasks: string[], options: { config?: string }) =>
      onEnd(await (await import("./cancel.ts")).cancel(tasks, options)),
    );
  withExamples(cancel, [["cancel fix.md site/slow.md", "one after the other"]]);
}
