import { collectDefaultMetrics, Registry } from "prom-client";
import type { Controls } from "../control/controls.ts";
import type { LiveEvents } from "./live-events.ts";
import { RunMetrics } from "./metrics/run-metrics.ts";
import { StateMetrics } from "./metrics/state-metrics.ts";

/** How long a scrape waits for what may not be there. */
const PATIENCE_MS = 2_000;

export interface MetricsOptions {
  readonly controls: Pick<Controls, "status" | "delegationStatus" | "sessions">;
  readonly events: LiveEvents;
  /** How long a scrape waits for Redis and tmux. */
  readonly patienceMs?: number;
}

/** What a monitoring system collects: what has happened since the start, and how the queue stands now. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #state: StateMetrics;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#state = new StateMetrics(this.#registry);
    const runs = new RunMetrics(this.#registry);
    // Coarse: a finer look at the event loop would itself keep the daemon busy.
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
    options.events.subscribe((live) =>
      live.kind === "task" ? runs.count(live.event, performance.now()) : runs.countHold(live.hold),
    );
  }

  /** In the text format of Prometheus. What cannot be read in time is left out. */
  async text(): Promise<string> {
    const { controls, patienceMs = PATIENCE_MS } = this.#options;
    const known = await orNull(Promise.all([controls.status(), controls.delegationStatus()]), patienceMs);
    const sessions = known === null ? await orNull(controls.sessions(), patienceMs) : known[0].sessions;
    // From here to the text nothing may come in between: two scrapes share these metrics.
    this.#state.show(known, sessions);
    return await this.#registry.metrics();
  }
}

/** What comes of it in time, null when it fails or takes longer. */
async function orNull<T>(asked: Promise<T>, patienceMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs);
  });
  return await Promise.race([asked.catch(() => null), late]).finally(() => clearTimeout(timer));
}
