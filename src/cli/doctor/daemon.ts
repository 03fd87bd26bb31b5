import type { Config } from "../../config/config.ts";
import { statusSchema } from "../../control/status.ts";
import { QueueError } from "../../core/errors.ts";
import { askDaemon } from "../daemon-client.ts";
import { type Finding, ok, problem, warning } from "./check.ts";

/** Whether a daemon answers. */
export async function lookAtDaemon({ stateDir }: Config): Promise<Finding[]> {
  try {
    const { verdict, reasons } = await askDaemon(stateDir, "GET", "/watchdog/status", statusSchema);
    if (verdict === "ok") return [ok("it runs, and its verdict is ok")];
    return reasons.map((reason) => warning(`${verdict}: ${reason}`, "`ccl-queue status` says more"));
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    const isAway = error.code === "DAEMON_NOT_RUNNING" || error.code === "DAEMON_STARTING";
    return [(isAway ? warning : problem)(error.message, error.hint ?? "its log says what it waits for")];
  }
}
