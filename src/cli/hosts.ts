import { z } from "zod";
import { type HostView, hostVerdict, hostView } from "../control/hosts.ts";
import { formatDuration } from "../core/duration.ts";
import { cleanLine } from "./clean.ts";
import type { Daemon } from "./daemon-client.ts";
import { paintStates, type Screen } from "./screen.ts";
import { showStatus, type ViewOptions } from "./show-status.ts";
import { table } from "./table.ts";

/** The answer of `GET /api/hosts`. */
export const hostList = z.object({ hosts: z.array(hostView) });
/** The cells that are cut where the terminal is too narrow: WORKSPACE, HOST and WHY. */
const FLEXIBLE = [0, 1, 7];
/** What is left out where that is not enough: DELEGATED, then WAITING, then WHY. */
const EXPENDABLE = [5, 4, 7];
const VERDICT = 2;

/** `ccl-queue status --all`: how every host on this Redis stands, as it last said. Returns the exit code. */
export async function statusOfAll(get: Daemon["get"], options: ViewOptions): Promise<number> {
  return await showStatus(
    {
      look: async () => await get("/api/hosts", hostList),
      describe: ({ hosts }, screen) => describeHosts(hosts, screen, Date.now()),
      isWell: ({ hosts }) => hosts.every((host) => host.state === "stopped" || hostVerdict(host) === "ok"),
    },
    options,
  );
}

/** The hosts as lines. */
export function describeHosts(hosts: readonly HostView[], screen: Screen, nowMs: number): string[] {
  if (hosts.length === 0) return ["no hosts"];
  const rows = hosts.map((host) => {
    const { workspace, host: name, at, sessions, waiting, delegated, reasons } = host;
    const all = Object.values(sessions).reduce((sum, count) => sum + count, 0);
    return [
      workspace,
      name,
      hostVerdict(host),
      `${sessions.busy ?? 0} of ${all} busy`,
      String(waiting),
      String(delegated),
      `${formatDuration(Math.max(0, nowMs - Date.parse(at)))} ago`,
      reasons.join("; "),
    ].map(cleanLine);
  });
  return table([["WORKSPACE", "HOST", "VERDICT", "SESSIONS", "WAITING", "DELEGATED", "HEARD OF", "WHY"], ...rows], {
    columns: screen.columns,
    flexible: FLEXIBLE,
    expendable: EXPENDABLE,
    paint: paintStates(screen, VERDICT),
  });
}
