import type { Config } from "../../config/config.ts";
import type { TaskEvents } from "../../core/events.ts";
import type { Fetcher } from "../../queue/fetcher.ts";
import type { LocalPayload } from "../../queue/payload.ts";
import type { TaskQueues } from "../../queue/task-queues.ts";
import type { PoolHold } from "../pool-hold.ts";
import type { Pool } from "../tmux/pool.ts";
import type { Tmux } from "../tmux/tmux.ts";
import type { RunBoard } from "./board.ts";
import type { RunStore } from "./store.ts";

/** What every step of a run may use. */
export interface RunParts {
  readonly config: Config;
  readonly tmux: Tmux;
  readonly pool: Pool;
  readonly hold: PoolHold;
  readonly queues: TaskQueues;
  readonly fetcher: Fetcher<LocalPayload>;
  readonly store: RunStore;
  readonly board: RunBoard;
  readonly events: TaskEvents;
  /** The time that holds go by, in ms since the epoch. */
  readonly now: () => number;
  /** Told of what went wrong and is tried again. */
  readonly onError: (error: unknown) => void;
}
