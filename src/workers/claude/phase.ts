import type { RunEnd } from "../../core/outcome.ts";
import type { HookEvent } from "./hook-event.ts";

/** Where a run stands. `sinceMs` is when it got there, in ms since the epoch. */
export type Phase =
  /** The script was started in the pane. */
  | { readonly name: "launching"; readonly sinceMs: number }
  /** Claude Code has a session and no prompt yet. */
  | { readonly name: "ready"; readonly sinceMs: number }
  /** It has taken our prompt, or one that followed it. */
  | { readonly name: "running"; readonly sinceMs: number }
  /** Its turn is over, but something it has started will wake it up again. */
  | { readonly name: "background"; readonly sinceMs: number }
  /** It has stopped with nothing left in the background: the end, if nothing follows. */
  | { readonly name: "stopped"; readonly sinceMs: number; readonly message: string }
  /** It needs a person. The session is kept, and goes on as soon as the person has answered. */
  | { readonly name: "attention"; readonly sinceMs: number; readonly need: Need }
  | { readonly name: "ended"; readonly sinceMs: number; readonly end: RunEnd };

export type Stopped = Extract<Phase, { name: "stopped" }>;

/** What a person is needed for. */
export type Need =
  | { readonly kind: "dialog" }
  /** `stopped` = it stands although the turn was over already. */
  | { readonly kind: "question"; readonly waitingFor: string; readonly stopped: Stopped | null }
  | { readonly kind: "interrupted" };

/** What one look at the agent's process and files showed. */
export interface Look {
  readonly atMs: number;
  readonly alive: boolean;
  /** From the exit file; null while there is none. */
  readonly exitCode: number | null;
  /** Of Claude Code's live status file; null where there is none. */
  readonly status: "idle" | "busy" | "shell" | "waiting" | null;
  readonly statusSinceMs: number;
  readonly waitingFor: string | null;
  /** The last sign of life: an event, or a line in the transcript. */
  readonly movedAtMs: number;
  /** When the agent was last known to be there: of one that told its exit code, when it did. */
  readonly lastAliveMs: number;
  /** The task was taken back while it runs. */
  readonly cancelled: boolean;
  /** A person is typing in the session of an agent that has stopped. */
  readonly typedIn: boolean;
}

/** What Claude Code says of itself. */
export type Live = Pick<Look, "status" | "statusSinceMs">;

/** The times that decide. */
export interface PhaseLimits {
  /** From the launch to the acceptance of the prompt. */
  readonly promptTimeoutMs: number;
  /** Without any sign of life. */
  readonly timeoutMs: number;
  /** For a person to come. */
  readonly attentionTimeoutMs: number;
}

/** All that a run's phase can follow from: a hook event of this run, or what a look showed once every event was taken in. */
export type Input =
  | { readonly kind: "event"; readonly event: HookEvent; readonly atMs: number }
  | { readonly kind: "look"; readonly look: Look };

/** What is known of a run beforehand. */
export interface Rules {
  /** The needle that our prompt carries. */
  readonly tag: string;
  readonly limits: PhaseLimits;
}
