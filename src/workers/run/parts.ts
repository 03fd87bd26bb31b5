import type { Config } from "../../config/config.ts";
import type { TaskEvents } from "../../core/events.ts";
import type { HostFetcher } from "../../queue/host-fetcher.ts";
import type { PoolHold } from "../pool-hold.ts";
import type { Pool } from "../tmux/pool.ts";
import type { Tmux } from "../tmux/tmux.ts";
import type { RunStore } from "./store.ts";

/** What every step of a run may use. */
export interface RunParts {
  readonly config: Config;
  readonly tmux: Tmux;
  readonly pool: Pool;
  readonly hold: PoolHold;
  readonly fetcher: HostFetcher;
  readonly store: RunStore;
  readonly events: TaskEvents;
  /** The time that holds go by, in ms since the epoch. */
  readonly now: () => number;
  /** Told of what went wrong and is tried again. */
  readonly onError: (error: unknown) => void;
}
