import type { Config } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import { type Finding, ok, problem } from "./check.ts";
import { programOutput } from "./program-output.ts";
import { isAtLeast } from "./versions.ts";

const OLDEST = [3, 0] as const;
const NO_SERVER = /no server running|No such file or directory|Connection refused/;

/** The tmux program, its server, and the sessions of the pool. */
export async function lookAtTmux({ tmuxSocket, pool }: Config): Promise<Finding[]> {
  const version = await programOutput("tmux", "-V");
  if (version === null) return [problem("tmux is not installed", "install tmux")];
  if (!isAtLeast(version, OLDEST)) return [problem(version, `install tmux ${OLDEST.join(".")} or newer`)];
  const server = `server ${tmuxSocket}`;
  try {
    const output = await programOutput("tmux", "-L", tmuxSocket, "list-sessions", "-F", "#{session_name}");
    const names = (output ?? "").split("\n");
    const range = Array.from({ length: pool.max }, (_, index) => `${pool.prefix}${pool.startIndex + index}`);
    const there = range.filter((name) => names.includes(name)).length;
    return [ok(`${version}; ${server} runs; ${there} of ${pool.max} sessions of the pool are there`)];
  } catch (error) {
    const message = messageOf(error);
    if (NO_SERVER.test(message)) return [ok(`${version}; ${server} does not run yet: the daemon starts it`)];
    const reason = message.trim().split("\n").at(-1) ?? "";
    return [
      problem(`${version}; ${server}: ${reason}`, "set tmux.socket_name to a server of your own, or mend that one"),
    ];
  }
}
