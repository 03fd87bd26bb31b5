import { QueueError } from "../../core/errors.ts";
import { isAlive, processOf } from "../process.ts";
import type { Tmux } from "./tmux.ts";

export interface PoolOwnerOptions {
  readonly tmux: Tmux;
  readonly workspace: string;
  readonly prefix: string;
  /** The host's name in the queue. */
  readonly host: string;
}

/** Keeps the pool's sessions for one daemon. Who that is stands in the tmux server, so that it goes with the sessions. */
export class PoolOwner {
  readonly #options: PoolOwnerOptions;
  readonly #option: string;
  /** This daemon, as a process and by its host's name. */
  readonly #us: string;

  constructor(options: PoolOwnerOptions) {
    const { workspace, prefix, host } = options;
    this.#options = options;
    this.#option = `@ccl_pool_${workspace}_${prefix}`;
    this.#us = `${process.pid} ${processOf(process.pid)?.startTime ?? ""} ${host.replace(/[^\w.-]/g, "_")}`;
  }

  /** Makes the sessions ours, or finds that they are. Those of a daemon that is gone are taken over. @throws {QueueError} POOL_TAKEN */
  async take(): Promise<void> {
    const { tmux } = this.#options;
    let owner = await tmux.swapOption(this.#option, "", this.#us);
    while (owner !== null && owner !== this.#us) {
      if (lives(owner)) throw this.#taken(owner);
      owner = await tmux.swapOption(this.#option, owner, this.#us);
    }
  }

  /** Whoever comes next need not be this host. */
  async leave(): Promise<void> {
    await this.#options.tmux.swapOption(this.#option, this.#us, "");
  }

  #taken(owner: string): QueueError {
    const { tmux, workspace, prefix } = this.#options;
    const [pid, , host] = owner.split(" ");
    const sessions = `the sessions ${prefix}… on tmux -L ${tmux.socket}`;
    return new QueueError(
      `another ccl-queue daemon (${host}, pid ${pid}) uses ${sessions} for workspace ${workspace}`,
      {
        code: "POOL_TAKEN",
        hint: "stop it first, or give this one its own workspace, pool.autonomous.prefix or tmux.socket_name",
      },
    );
  }
}

function lives(owner: string): boolean {
  const [, pid, startTime] = /^(\d+) (\d*) /.exec(owner) ?? [];
  return pid !== undefined && isAlive({ pid: Number(pid), startTime: startTime || null });
}
