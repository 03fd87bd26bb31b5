import type { Controls } from "../../control/controls.ts";

type Reads =
  | ("status" | "delegationStatus" | "overview" | "hosts" | "ready")
  | ("tasks" | "task" | "log")
  | ("sessions" | "screen");
type Commands = "add" | "retry" | "retryAll" | "cancel" | "hold" | "resume" | "adopt" | "repair";

/** What the API asks of the daemon. */
export type ApiControls = Pick<Controls, Reads | Commands>;
