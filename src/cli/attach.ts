import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { childEnvironment, readTerminal } from "../config/environment.ts";
import type { SessionView } from "../control/session-view.ts";
import { taskDetail } from "../control/task-view.ts";
import { isSystemError, QueueError } from "../core/errors.ts";
import { type Daemon, daemonOf } from "./daemon-client.ts";
import { EXIT } from "./exit.ts";
import { printLines, remark } from "./print.ts";
import { sessionList } from "./sessions.ts";
import { taskRoute } from "./task-route.ts";

export interface AttachOptions {
  readonly config?: string;
  readonly readOnly?: true;
}

/** `ccl-queue attach`: shows a session in this terminal. Returns the exit code. */
export async function attach(text: string, options: AttachOptions): Promise<number> {
  const daemon = await daemonOf(options.config);
  const socket = daemon.config.tmuxSocket;
  const session = await sessionOf(text, daemon);
  const argv = attachCommand(socket, session, options.readOnly === true);
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    printLines([argv.join(" ")]);
    return EXIT.ok;
  }
  const { tmux: around } = readTerminal();
  if (around === null) return await run(argv);
  if (basename(around.socket) === socket && !options.readOnly)
    return await run(switchCommand(socket, session), around.marks);
  remark("this terminal is in tmux already: detach first (or open another terminal), then");
  printLines([argv.join(" ")]);
  return EXIT.error;
}

/** What shows a session in a terminal that is in no tmux yet. */
function attachCommand(socket: string, session: string, isReadOnly: boolean): string[] {
  return ["tmux", "-L", socket, "attach", ...(isReadOnly ? ["-r"] : []), "-t", `=${session}`];
}

/** What shows it in a client of the same tmux server. */
function switchCommand(socket: string, session: string): string[] {
  return ["tmux", "-L", socket, "switch-client", "-t", `=${session}`];
}

/** The session of that name, else the one that has the task. @throws {QueueError} SESSION_UNKNOWN, TASK_UNKNOWN, … */
async function sessionOf(text: string, { get }: Daemon): Promise<string> {
  const { sessions } = await get("/api/sessions", sessionList);
  const named = sessions.find(({ name }) => name === text);
  if (named !== undefined) return existing(named);
  const { id, task, state } = await get(taskRoute(text), taskDetail);
  const busy = sessions.find(({ run }) => run?.job === id);
  if (busy !== undefined) return busy.name;
  throw new QueueError(`no session of this host has ${task}: it is ${state}`, {
    code: "SESSION_UNKNOWN",
    hint: "`ccl-queue sessions` lists them; `ccl-queue show` tells of the task",
  });
}

function existing({ name, state }: SessionView): string {
  if (state !== "missing") return name;
  throw new QueueError(`${name} does not exist at the moment`, {
    code: "SESSION_UNKNOWN",
    hint: "`ccl-queue sessions` lists those that do",
  });
}

/** Gives the terminal to a program until it ends. */
async function run([program = "", ...args]: readonly string[], marks = {}): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", env: childEnvironment(marks) });
  try {
    const [code]: unknown[] = await once(child, "exit");
    return code === 0 ? EXIT.ok : EXIT.error;
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
    throw new QueueError("the tmux program is not installed", {
      code: "TMUX_MISSING",
      hint: "install tmux",
      cause: error,
    });
  }
}
