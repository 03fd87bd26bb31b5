import { execa } from "execa";
import { messageOf } from "../core/errors.ts";
import type { Delivery } from "../queue/notifications.ts";
import { within } from "./deadline.ts";
import type { Notification } from "./notification.ts";
import type { Target } from "./target.ts";

const TIMEOUT_MS = 30_000;
/** A program that the command leaves behind may hold its stderr for ever. */
const LAST_WORDS_MS = 500;
const MAX_COMPLAINT = 200;
/** A command that cannot be started will not be able to a minute later. */
const CANNOT_START = ["ENOENT", "EACCES", "ENOEXEC", "ENOTDIR"];

export interface CommandOptions {
  /** The program and its arguments, which never change. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs?: number | undefined;
}

/** Runs a program for each notification, with the notification on its stdin. No shell is between. */
export class Command implements Target {
  readonly where = "notify.command";
  readonly #options: CommandOptions;

  constructor(options: CommandOptions) {
    this.#options = options;
  }

  async deliver(notification: Notification, signal: AbortSignal): Promise<Delivery> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    return await within(timeoutMs, signal, async (own) => await this.#run(JSON.stringify(notification), own));
  }

  async close(): Promise<void> {}

  async #run(input: string, signal: AbortSignal): Promise<Delivery> {
    if (signal.aborted) return { kind: "again", why: messageOf(signal.reason) };
    const { argv, cwd, environment: env } = this.#options;
    const [program = "", ...args] = argv;
    // A group of its own, so that what it has started can be ended with it.
    const child = execa(program, args, {
      ...{ cwd, env, extendEnv: false, input, stdout: "ignore", buffer: false, reject: false, detached: true },
    });
    let complaint = "";
    child.stderr.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString("utf8")).slice(-MAX_COMPLAINT * 4);
    });
    child.once("exit", () => setTimeout(() => child.stderr.destroy(), LAST_WORDS_MS).unref());
    const end = () => endGroup(child);
    signal.addEventListener("abort", end, { once: true });
    const result = await child;
    signal.removeEventListener("abort", end);
    return toDelivery(result, signal, complaint);
  }
}

/** Ends a command and what it has started, unless the command has ended itself. */
function endGroup({ pid, exitCode, signalCode }: { pid?: number; exitCode: number | null; signalCode: string | null }) {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone, which is what this is for.
  }
}

interface Ended {
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  /** Of the system error that kept it from starting. */
  readonly code?: string | undefined;
}

/** The arguments are not shown: one of them may be a secret. */
function toDelivery(result: Ended, signal: AbortSignal, complaint: string): Delivery {
  const { exitCode, code = "" } = result;
  if (exitCode === 0) return { kind: "delivered" };
  if (CANNOT_START.includes(code)) return { kind: "refused", why: `it cannot be started (${code})` };
  if (signal.aborted) return { kind: "again", why: messageOf(signal.reason) };
  const what = exitCode === undefined ? `it was ended by ${result.signal}` : `it exited with ${exitCode}`;
  return { kind: "again", why: lastWords(complaint) === "" ? what : `${what}: ${lastWords(complaint)}` };
}

function lastWords(complaint: string): string {
  const [line = ""] = complaint.trim().split("\n").slice(-1);
  return [...line.replace(/\p{Cc}+/gu, " ")].slice(0, MAX_COMPLAINT).join("");
}
