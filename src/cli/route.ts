import { type Config, isDelegating } from "../config/config.ts";
import { readEnvironment } from "../config/environment.ts";
import { formatDuration } from "../core/duration.ts";
import { QueueError } from "../core/errors.ts";
import type { Provider } from "../core/route.ts";
import type { Priority, TaskHeader } from "../core/task.ts";
import { parseTask } from "../ledger/parse-task.ts";
import { decide } from "../router/decide.ts";
import { cleanLine } from "./clean.ts";
import { findConfig } from "./find-config.ts";
import { printJson, printLines } from "./print.ts";
import { readInput } from "./read-input.ts";
import { type RuleLook, rulesLookedAt } from "./route-rules.ts";
import { type Screen, screenOf } from "./screen.ts";
import { table } from "./table.ts";

export interface RouteOptions {
  readonly config?: string;
  readonly json?: true;
}

/** The cells that are cut where the terminal is too narrow: a rule, and what was found. */
const FLEXIBLE = [1, 2];

/** The answer of `ccl-queue route --json`. */
export interface Routing {
  readonly route: "local" | "delegated";
  /** Null where the local pool does it. */
  readonly provider: Provider | null;
  readonly reason: string;
  readonly priority: Priority;
  /** What the local pool would run it with, also after a platform that does not take it. */
  readonly model: string | null;
  readonly timeout_ms: number | null;
  /** Those that were looked at; the last one decided. */
  readonly rules: readonly RuleLook[];
  readonly warnings: readonly string[];
}

/** `ccl-queue route`: who would do a task, and why. Asks nobody and starts nothing. */
export async function route(file: string, options: RouteOptions): Promise<void> {
  const parsed = parseTask(await readInput(file));
  if (!parsed.ok) throw new QueueError(`${file}: ${parsed.reason}`, { code: "TASK_INVALID" });
  const routing = routingOf(parsed.header, parsed.warnings, await findConfig(options.config, readEnvironment()));
  if (options.json) printJson(routing);
  else printLines(describeRouting(routing, screenOf(process.stdout)));
}

/** How a task would be routed with a configuration, or without any. */
export function routingOf(header: TaskHeader, warnings: readonly string[], config: Config | null): Routing {
  const delegation = config !== null && isDelegating(config) ? { auto: config.secutools.auto } : null;
  const decision = decide(header, delegation);
  const unconfigured = config === null ? ["there is no configuration: nothing is delegated without one"] : [];
  return {
    route: decision.route,
    provider: decision.route === "local" ? null : decision.provider,
    reason: decision.reason,
    priority: header.priority,
    model: config === null ? null : modelFor(header.priority, config),
    timeout_ms: header.timeoutMs ?? config?.claude.timeoutMs ?? null,
    rules: rulesLookedAt(header, delegation),
    warnings: [...warnings, ...unconfigured],
  };
}

function modelFor(priority: Priority, { claude: { models } }: Config): string {
  return priority === "critical" ? models.critical : models.default;
}

/** A decision as lines. */
export function describeRouting(routing: Routing, { columns, colours }: Screen): string[] {
  const { route: who, provider, reason, priority, model, timeout_ms, rules, warnings } = routing;
  const details = [
    `priority ${priority}`,
    ...(who === "local" && model !== null ? [`model ${model}`] : []),
    ...(who === "local" && timeout_ms !== null ? [`timeout ${formatDuration(timeout_ms)}`] : []),
  ];
  const rows = rules.map(({ rule, found, decides }) => [`  ${decides ? "→" : "✓"}`, rule, found]);
  return [
    `${colours.bold(who === "local" ? "the local pool" : (provider ?? ""))}: ${cleanLine(reason)}`,
    `  ${details.join(", ")}`,
    "",
    "Rules, in their order:",
    ...table(rows, { columns, flexible: FLEXIBLE }),
    ...warnings.map((warning) => colours.yellow(`warning: ${cleanLine(warning)}`)),
  ];
}
