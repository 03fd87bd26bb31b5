import { Counter, Gauge, type Registry } from "prom-client";
import type { DelegationStatus } from "../../control/delegation-status.ts";
import { holdView } from "../../control/hold-view.ts";
import { SESSION_STATES, type SessionView } from "../../control/session-view.ts";
import type { Status } from "../../control/status.ts";

/** What is known of the sessions. */
type Sessions = readonly Pick<SessionView, "state">[];

/** What is read anew for each scrape. What is not known at the moment is left out. */
export class StateMetrics {
  readonly #known: Gauge<"part">;
  readonly #jobs: Gauge<"queue" | "state">;
  readonly #oldest: Gauge<"queue">;
  readonly #sessions: Gauge<"state">;
  readonly #oldestRun: Gauge;
  readonly #attention: Gauge;
  readonly #stale: Gauge;
  readonly #held: Gauge<"kind">;
  readonly #delegated: Gauge;
  readonly #oldestDelegated: Gauge;
  readonly #delegations: Counter<"outcome">;
  readonly #ticks: Counter;
  readonly #lastTick: Gauge;
  readonly #delegationCost: Counter<"provider">;

  constructor(registry: Registry) {
    const registers = [registry];
    const named = <T extends string>(name: string, help: string, ...labelNames: T[]) => ({
      name: `ccl_queue_${name}`,
      help,
      labelNames,
      registers,
    });
    this.#known = new Gauge(named("known", "Whether this part of the queue's state could be read.", "part"));
    this.#jobs = new Gauge(named("jobs", "Jobs in each queue that are not over.", "queue", "state"));
    this.#oldest = new Gauge(
      named("oldest_waiting_seconds", "For how long the oldest waiting job has been in its queue; 0 = none.", "queue"),
    );
    this.#sessions = new Gauge(named("sessions", "Sessions of this host's pool.", "state"));
    this.#oldestRun = new Gauge(
      named("oldest_running_seconds", "For how long the oldest run of this host has been under way; 0 = none."),
    );
    this.#attention = new Gauge(named("runs_needing_attention", "Runs that wait for a person."));
    this.#stale = new Gauge(named("runs_stale", "Runs that have been silent for more than half of their timeout."));
    this.#held = new Gauge(named("held", "Whether the pool is held, and why.", "kind"));
    this.#delegated = new Gauge(named("delegated_active", "Tasks that are with the platform."));
    this.#oldestDelegated = new Gauge(
      named("oldest_delegated_seconds", "For how long the oldest task has been with the platform; 0 = none."),
    );
    this.#delegations = new Counter(
      named("delegations_total", "Delegated tasks over all hosts and restarts, by what became of them.", "outcome"),
    );
    this.#ticks = new Counter(named("reaper_ticks_total", "How often the reaper looked after delegated tasks."));
    this.#lastTick = new Gauge(
      named("reaper_last_tick_timestamp_seconds", "When the reaper last looked after delegated tasks; 0 = never."),
    );
    this.#delegationCost = new Counter(
      named("delegation_cost_usd_total", "What delegated tasks cost over all hosts and restarts.", "provider"),
    );
  }

  /** Shows how all stands; null where that could not be read, and then the sessions alone, if those could. */
  show(known: readonly [Status, DelegationStatus] | null, sessions: Sessions | null): void {
    this.#reset();
    this.#known.set({ part: "status" }, known === null ? 0 : 1);
    this.#known.set({ part: "sessions" }, sessions === null ? 0 : 1);
    if (sessions !== null)
      for (const state of SESSION_STATES)
        this.#sessions.set({ state }, sessions.filter((session) => session.state === state).length);
    if (known === null) return;
    const [status, delegation] = known;
    this.#showRuns(status);
    for (const kind of holdView.shape.kind.options) this.#held.set({ kind }, status.hold?.kind === kind ? 1 : 0);
    this.#showQueues(status.queues);
    this.#showDelegation(delegation);
  }

  #showRuns({ at, runs }: Status): void {
    const agesMs = runs.map(({ started_at }) => Date.parse(at) - Date.parse(started_at));
    this.#oldestRun.set(Math.max(0, ...agesMs) / 1_000);
    this.#attention.set(runs.filter(({ phase }) => phase === "attention").length);
    this.#stale.set(runs.filter(({ stale }) => stale).length);
  }

  #showQueues(queues: Status["queues"]): void {
    for (const [queue, { waiting, active, delayed, oldest_ms }] of Object.entries(queues)) {
      this.#jobs.set({ queue, state: "waiting" }, waiting);
      this.#jobs.set({ queue, state: "active" }, active);
      this.#jobs.set({ queue, state: "delayed" }, delayed);
      this.#oldest.set({ queue }, (oldest_ms ?? 0) / 1_000);
    }
  }

  #showDelegation({ active, jobs, ticks, ticked_at, cost_usd, ...totals }: DelegationStatus): void {
    const { submitted, completed, failed, cancelled, fallback } = totals;
    this.#delegated.set(active);
    this.#oldestDelegated.set((jobs[0]?.age_ms ?? 0) / 1_000);
    this.#ticks.inc(ticks);
    this.#lastTick.set(ticked_at === null ? 0 : Date.parse(ticked_at) / 1_000);
    for (const [outcome, total] of Object.entries({ submitted, completed, failed, cancelled, fallback }))
      this.#delegations.inc({ outcome }, total);
    for (const [provider, cost] of Object.entries(cost_usd)) this.#delegationCost.inc({ provider }, cost);
  }

  #reset(): void {
    for (const metric of [this.#jobs, this.#oldest, this.#sessions, this.#held]) metric.reset();
    for (const metric of [this.#oldestRun, this.#attention, this.#stale]) metric.remove();
    for (const metric of [this.#delegated, this.#oldestDelegated, this.#ticks, this.#lastTick]) metric.remove();
    this.#delegations.reset();
    this.#delegationCost.reset();
  }
}
