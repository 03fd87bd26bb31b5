import { QueueError } from "../core/errors.ts";
import type { RunBoard } from "../workers/run/board.ts";
import type { Pool, SessionLook } from "../workers/tmux/pool.ts";
import type { Tmux } from "../workers/tmux/tmux.ts";
import { viewRun } from "./run-view.ts";
import type { ScreenView, SessionView } from "./session-view.ts";

export interface SessionSources {
  readonly pool: Pool;
  readonly tmux: Tmux;
  readonly board: RunBoard;
}

/** Every session of the pool. @throws {QueueError} TMUX_FAILED */
export async function readSessions({ pool, tmux, board }: SessionSources): Promise<SessionView[]> {
  return viewSessions(await pool.look(), tmux, board);
}

/** Each with the last lines of its pane. @throws {QueueError} TMUX_FAILED */
export async function screensOf(
  looks: readonly SessionLook[],
  { tmux, board }: Omit<SessionSources, "pool">,
  lines: number,
) {
  // An idle shell shows nothing that anybody waits for.
  const shown = looks.filter(({ state }) => state === "busy");
  const panes = shown.flatMap(({ pane }) => pane ?? []);
  const texts = await tmux.colouredScreens(panes);
  const screens = new Map(panes.map(({ session }, index) => [session, lastLines(texts[index] ?? "", lines)]));
  return viewSessions(looks, tmux, board).map((session) => ({ ...session, screen: screens.get(session.name) ?? "" }));
}

/** What stands in a session. @throws {QueueError} SESSION_UNKNOWN, TMUX_FAILED */
export async function readScreen({ pool, tmux }: SessionSources, name: string): Promise<ScreenView> {
  const pane = (await pool.look()).find((look) => look.name === name)?.pane ?? null;
  if (pane === null) {
    throw new QueueError(`the pool has no session called ${name} that can be shown`, {
      code: "SESSION_UNKNOWN",
      hint: "`ccl-queue sessions` lists them; one with several panes is a person's",
    });
  }
  return { session: name, at: new Date().toISOString(), ...(await tmux.colouredScreen(pane)) };
}

function viewSessions(looks: readonly SessionLook[], { socket }: Tmux, board: RunBoard): SessionView[] {
  const runs = new Map(board.list().map((run) => [run.record.session, run]));
  return looks.map(({ name, state }) => {
    const run = runs.get(name);
    const attach = `tmux -L ${socket} attach -t =${name}`;
    return { name, state, attach, run: run === undefined ? null : viewRun(run, Date.now()) };
  });
}

function lastLines(text: string, count: number): string {
  return text.split("\n").slice(-count).join("\n");
}
