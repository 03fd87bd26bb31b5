import { EventEmitter } from "node:events";
import type { Decision, Provider } from "./route.ts";
import type { TaskFile } from "./task.ts";

/** A step on a task's way, as operators see it. */
export type TaskEvent = { readonly task: TaskFile; readonly id: string } & TaskStep;

type TaskStep =
  /** isAgain = it had been over, and its file was put back. */
  | { readonly type: "seen"; readonly isAgain: boolean; readonly warnings: readonly string[] }
  | { readonly type: "updated" }
  /** decision = why it was where it was, null where no run had begun; byCommand = its file was not just taken away. */
  | { readonly type: "cancelled"; readonly decision: Decision | null; readonly byCommand: boolean }
  | { readonly type: "rejected"; readonly reason: string; readonly path: string }
  | { readonly type: "routed"; readonly decision: Decision }
  | { readonly type: "launched"; readonly session: string; readonly model: string; readonly run: string }
  | { readonly type: "submitted"; readonly session: string; readonly run: string }
  | { readonly type: "attention"; readonly session: string; readonly what: string; readonly screen: string }
  | { readonly type: "retrying"; readonly session: string; readonly reason: string; readonly delayMs: number }
  | { readonly type: "held"; readonly session: string; readonly reason: string; readonly untilMs: number }
  /** The host that ran it is gone. */
  | { readonly type: "recovered"; readonly from: string }
  /** Redis had lost what it knew of it, and it runs all the same. */
  | { readonly type: "restored" }
  | { readonly type: "delegated"; readonly provider: Provider; readonly remote: string }
  | ({ readonly type: "done" } & Over)
  | ({ readonly type: "failed"; readonly reason: string } & Over);

/** How it went with a task that is over. */
export interface Over {
  /** Why it was done where it was. */
  readonly decision: Decision;
  /** The session or the provider that did it. */
  readonly by: string;
  readonly path: string;
  readonly spent: Spent;
}

/** What a task's last run took. null = not known. */
export interface Spent {
  readonly durationMs: number;
  readonly model: string | null;
  readonly tokens: { readonly input: number; readonly output: number } | null;
  readonly costUsd: number | null;
}

/** Where every part of the daemon tells what it did, and the log, the terminal and the pages listen. */
export class TaskEvents {
  readonly #emitter = new EventEmitter<{ event: [TaskEvent] }>().setMaxListeners(0);

  emit(event: TaskEvent): void {
    this.#emitter.emit("event", event);
  }

  on(listener: (event: TaskEvent) => void): void {
    this.#emitter.on("event", listener);
  }

  off(listener: (event: TaskEvent) => void): void {
    this.#emitter.off("event", listener);
  }
}
