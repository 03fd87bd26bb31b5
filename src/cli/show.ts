import { type TaskDetail, taskDetail } from "../control/task-view.ts";
import { formatDuration } from "../core/duration.ts";
import { cleanLine, cleanLines } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { describeStep } from "./describe-step.ts";
import { printJson, printLines } from "./print.ts";
import { paintState, type Screen, screenOf } from "./screen.ts";
import { taskRoute } from "./task-route.ts";

export interface ShowOptions {
  readonly config?: string;
  readonly json?: true;
}

/** `ccl-queue show`: everything that is known of a task. */
export async function show(text: string, options: ShowOptions): Promise<void> {
  const { get } = await daemonOf(options.config);
  const task = await get(taskRoute(text), taskDetail);
  if (options.json) return printJson(task);
  printLines(describeTask(task, screenOf(process.stdout)));
}

/** A task's page, line by line. */
export function describeTask(task: TaskDetail, screen: Screen): string[] {
  const { bold } = screen.colours;
  const facts = factsOf(task, screen).filter(([, value]) => value !== "");
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    bold(cleanLine(task.title === null ? task.task : `${task.task}: ${task.title}`)),
    ...facts.map(([name, value]) => `  ${screen.colours.dim(name.padEnd(width))}  ${value}`),
    ...block(
      "What happened",
      task.timeline.flatMap((step) => describeStep(step, screen)),
      screen,
    ),
    ...block("Prompt", cleanLines(task.prompt ?? ""), screen),
    ...block("Result", cleanLines(task.result ?? ""), screen),
  ];
}

function factsOf(task: TaskDetail, screen: Screen): [string, string][] {
  const { session, model, provider, route, reason, tokens, cost_usd, duration_ms } = task;
  const who = provider ?? [session, model].filter((part) => part !== null).join(" with ");
  const facts: [string, string | null][] = [
    ["error", task.error],
    ["next", nextStep(task)],
    ["id", task.id],
    ["priority", task.priority],
    ["tags", task.tags.join(", ")],
    ["route", [route, reason].filter((part) => part !== null).join(": ")],
    ["by", who],
    ["attempts", task.attempts === 0 ? null : String(task.attempts)],
    ["enqueued", task.enqueued_at],
    ["started", task.started_at],
    ["finished", task.finished_at],
    ["took", duration_ms === null ? null : formatDuration(duration_ms)],
    ["tokens", tokens === null ? null : `${tokens.input} in, ${tokens.output} out`],
    ["cost", cost_usd === null ? null : `$${cost_usd.toFixed(2)}`],
    ["file", task.path],
    ["run", task.run_dir],
  ];
  return [
    ["state", paintState(screen, task.state)],
    ...facts.map(([name, value]): [string, string] => [name, cleanLine(value ?? "")]),
  ];
}

function nextStep({ id, state, error }: TaskDetail): string | null {
  if (state !== "failed") return null;
  const again = `\`ccl-queue retry ${id}\` runs it again`;
  const [code] = /^[A-Z_]+(?=:)/.exec(error ?? "") ?? [];
  return code === undefined ? again : `${again}; docs/errors.md says what to do about ${code}`;
}

function block(title: string, lines: readonly string[], { colours }: Screen): string[] {
  return lines.join("") === "" ? [] : ["", colours.bold(title), ...lines.map((line) => `  ${line}`.trimEnd())];
}
