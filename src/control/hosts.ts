import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Service } from "../core/service.ts";
import type { Heartbeat, Hosts } from "../queue/hosts.ts";
import { holdView } from "./hold-view.ts";
import { SESSION_STATES } from "./session-view.ts";
import { type Status, VERDICTS } from "./status.ts";

const count = z.int().min(0);

/** What each host says of itself. */
const report = z.object({
  verdict: z.enum(VERDICTS),
  reasons: z.array(z.string()),
  hold: holdView.nullable(),
  /** How many sessions are in each state. */
  sessions: z.partialRecord(z.enum(SESSION_STATES), count),
  /** Tasks of the workspace, over all its hosts. */
  waiting: count,
  delegated: count,
});

/** A host of a workspace on this Redis. */
export const hostView = z.object({
  workspace: z.string(),
  host: z.string(),
  /** When it was last heard of. */
  at: z.iso.datetime(),
  /** gone = not heard of for longer than hosts.gone_after: it was killed, or cannot reach Redis. */
  state: z.enum(["up", "stopped", "gone"]),
  ...report.shape,
});
export type HostView = Readonly<z.infer<typeof hostView>>;

/** How it stands now: what a host that is gone or stopped has said last is not so any more. */
export function hostVerdict({ state, verdict }: HostView): Status["verdict"] | "stopped" | "gone" {
  return state === "up" ? verdict : state;
}

/** How often a host says that it is there. */
const BEAT_MS = 10_000;
/** How long the last word of a daemon that stops may take. */
const GOODBYE_MS = 500;
export interface HeartbeatOptions {
  readonly hosts: Hosts;
  readonly workspace: string;
  readonly host: string;
  readonly status: () => Promise<Status>;
  readonly onError: (error: unknown) => void;
}

/** Says on this Redis that the host is there, and how it stands. */
export class HostHeartbeat implements Service {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | null = null;
  #report: z.infer<typeof report> | null = null;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#wake(), BEAT_MS);
    this.#wake();
  }

  async stop(): Promise<void> {
    if (this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    // A Redis that is away must not keep the daemon.
    await Promise.race([this.#say(true).catch(() => {}), sleep(GOODBYE_MS, undefined, { ref: false })]);
  }

  #wake(): void {
    this.#beat().catch(this.#options.onError);
  }

  /** Without tmux there is nothing new to report, but the host is there. */
  async #beat(): Promise<void> {
    this.#report = await this.#options.status().then(reportOf, () => this.#report);
    if (this.#timer !== null) await this.#say(false);
  }

  async #say(stopped: boolean): Promise<void> {
    const { hosts, workspace, host } = this.#options;
    await hosts.say({ workspace, host, atMs: Date.now(), stopped, report: this.#report });
  }
}

/** Every host on this Redis that was heard of in the last month. */
export async function readHosts(hosts: Hosts, goneAfterMs: number): Promise<HostView[]> {
  const nowMs = Date.now();
  return (await hosts.list(nowMs)).flatMap((beat) => viewHost(beat, nowMs - goneAfterMs));
}

/** One of another version may say something else: it is left out. */
function viewHost({ workspace, host, atMs, stopped, report: said }: Heartbeat, goneBeforeMs: number): HostView[] {
  const read = report.safeParse(said).data;
  if (read === undefined) return [];
  const state = atMs < goneBeforeMs ? "gone" : "up";
  return [{ workspace, host, at: new Date(atMs).toISOString(), state: stopped ? "stopped" : state, ...read }];
}

function reportOf({ verdict, reasons, hold, sessions, queues, delegation }: Status): z.infer<typeof report> {
  const states = SESSION_STATES.map((state) => [state, sessions.filter((one) => one.state === state).length] as const);
  return {
    ...{ verdict, reasons, hold },
    sessions: Object.fromEntries(states.filter(([, number]) => number > 0)),
    waiting: queues.inbox.waiting + queues.local.waiting + queues.delegated.waiting,
    delegated: delegation.active,
  };
}
