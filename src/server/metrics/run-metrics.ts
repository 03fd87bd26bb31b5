import { Counter, Histogram, type Registry } from "prom-client";
import type { Spent, TaskEvent } from "../../core/events.ts";
import type { Hold } from "../../core/verdict.ts";
import { LaunchTimes } from "./launch-times.ts";
import { ProjectLabels } from "./project-labels.ts";

const LATENCY_BUCKETS_S = [0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60];
const DURATION_BUCKETS_S = [10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400];

/** What is counted as it happens, since the daemon's start. */
export class RunMetrics {
  readonly #launches = new LaunchTimes();
  readonly #projects = new ProjectLabels();
  readonly #events: Counter<"type">;
  readonly #runs: Counter<"outcome" | "route">;
  readonly #latency: Histogram;
  readonly #duration: Histogram<"route">;
  readonly #tokens: Counter<"project" | "direction">;
  readonly #cost: Counter<"project">;
  readonly #holds: Counter<"kind">;
  #heldSinceMs: number | null = null;

  constructor(registry: Registry) {
    const registers = [registry];
    const named = <T extends string>(name: string, help: string, ...labelNames: T[]) => ({
      name: `ccl_queue_${name}`,
      help,
      labelNames,
      registers,
    });
    this.#events = new Counter(named("task_events_total", "Steps of tasks, by their type.", "type"));
    this.#runs = new Counter(named("runs_total", "Runs that ended, by what became of the task.", "outcome", "route"));
    this.#latency = new Histogram({
      ...named("launch_latency_seconds", "From the launch of an agent until it took its prompt."),
      buckets: LATENCY_BUCKETS_S,
    });
    this.#duration = new Histogram({
      ...named("run_duration_seconds", "What the last run of a done or failed task took.", "route"),
      buckets: DURATION_BUCKETS_S,
    });
    this.#tokens = new Counter(
      named("tokens_total", "Tokens of done and failed tasks, where known.", "project", "direction"),
    );
    this.#cost = new Counter(named("cost_usd_total", "What done and failed tasks cost, where known.", "project"));
    this.#holds = new Counter(named("holds_total", "How often the pool was held.", "kind"));
  }

  /** Counts a step of a task that happened at this moment of a clock that never goes back. */
  count(event: TaskEvent, nowMs: number): void {
    this.#events.inc({ type: event.type });
    const latencyMs = this.#launches.after(event, nowMs);
    if (latencyMs !== null) this.#latency.observe(latencyMs / 1_000);
    if (event.type === "retrying") this.#runs.inc({ outcome: "retried", route: "local" });
    if (event.type === "held") this.#runs.inc({ outcome: "held", route: "local" });
    if (event.type === "recovered") this.#runs.inc({ outcome: "recovered", route: "local" });
    if (event.type === "cancelled" && event.decision !== null)
      this.#runs.inc({ outcome: "cancelled", route: event.decision.route });
    if (event.type !== "done" && event.type !== "failed") return;
    const { route } = event.decision;
    this.#runs.inc({ outcome: event.type, route });
    this.#duration.observe({ route }, event.spent.durationMs / 1_000);
    this.#spend(this.#projects.of(event.task.project), event.spent);
  }

  /** A hold that is made longer is the same hold. */
  countHold(hold: Hold | null): void {
    if (hold !== null && hold.sinceMs !== this.#heldSinceMs) this.#holds.inc({ kind: hold.kind });
    this.#heldSinceMs = hold?.sinceMs ?? null;
  }

  #spend(project: string, { tokens, costUsd }: Spent): void {
    if (tokens !== null) {
      this.#tokens.inc({ project, direction: "input" }, tokens.input);
      this.#tokens.inc({ project, direction: "output" }, tokens.output);
    }
    if (costUsd !== null) this.#cost.inc({ project }, costUsd);
  }
}
