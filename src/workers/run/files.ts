import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { readRegular } from "../../ledger/regular-file.ts";
import { type HookEvent, parseHookEvent } from "../claude/hook-event.ts";
import { readLines } from "../claude/read-lines.ts";
import type { ProcessId } from "../process.ts";
import type { RunStore } from "./store.ts";

/** An agent writes these, and may write anything: an event holds a tool's whole input. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const naturalOrder = new Intl.Collator("en", { numeric: true });

/** A hook event and when it was kept, in ms since the epoch. */
export interface KeptEvent {
  readonly event: HookEvent;
  readonly atMs: number;
}

/** How an agent ended by itself, and when, in ms since the epoch. */
export interface Exit {
  readonly code: number;
  readonly atMs: number;
}

/** Claude Code's live status file. */
const liveStatus = z.object({
  status: z.enum(["idle", "busy", "shell", "waiting"]).nullable().catch(null),
  statusUpdatedAt: z.number().catch(0),
  waitingFor: z.string().nullable().catch(null),
});
export type LiveStatus = z.infer<typeof liveStatus>;

/** What a run's agent leaves in files: its events, its process, its exit, its status. */
export class RunFiles {
  readonly #store: RunStore;
  readonly #run: string;
  readonly #read = new Set<string>();
  #process: ProcessId | null = null;
  #transcript: string | null = null;

  constructor(store: RunStore, run: string) {
    this.#store = store;
    this.#run = run;
  }

  /** Claude Code's transcript, once an event has told where it is. */
  get transcript(): string | null {
    return this.#transcript;
  }

  /** The events that were not read before, in order. */
  async newEvents(): Promise<KeptEvent[]> {
    const names = await readdir(this.#store.pathOf(this.#run, "events")).catch(() => []);
    const unread = names.filter((name) => name.endsWith(".json") && !this.#read.has(name)).sort(naturalOrder.compare);
    const kept = await Promise.all(unread.map((name) => this.#readEvent(name)));
    return kept.filter((event) => event !== null);
  }

  /** The agent's process, once it has started. A line that is not ended yet tells nothing. */
  async process(): Promise<ProcessId | null> {
    this.#process ??= await this.#readProcess();
    return this.#process;
  }

  /** The agent's exit code and when it was told, once it has ended by itself. */
  async exit(): Promise<Exit | null> {
    const text = (await this.#text("exit")).trim();
    return text === "" ? null : { code: Number(text), atMs: await movedAtMs(this.#store.pathOf(this.#run, "exit")) };
  }

  /** What the agent printed on stderr: the reason where it ended at once. */
  async stderr(): Promise<string> {
    return (await this.#text("stderr")).trim();
  }

  /** Claude Code's own word on what it does; null in versions that keep no such file. */
  async liveStatus(pid: number): Promise<LiveStatus | null> {
    if (this.#transcript === null) return null;
    const config = dirname(dirname(dirname(this.#transcript)));
    const text = await readText(join(config, "sessions", `${pid}.json`));
    return text === null ? null : (liveStatus.safeParse(parseJson(text)).data ?? null);
  }

  /** Whether there is a conversation that another run could go on with: the transcript begins before the prompt is in it. */
  async hasConversation(): Promise<boolean> {
    if (this.#transcript === null) return false;
    for await (const line of readLines(this.#transcript)) if (line.includes('"type":"user"')) return true;
    return false;
  }

  /** When the transcript last grew, 0 where there is none yet. */
  async transcriptMovedAtMs(): Promise<number> {
    if (this.#transcript === null) return 0;
    return await movedAtMs(this.#transcript);
  }

  async #readProcess(): Promise<ProcessId | null> {
    const [, pid, startTime] = /^(\d+) (\d*)\n/.exec(await this.#text("pid")) ?? [];
    return pid === undefined ? null : { pid: Number(pid), startTime: startTime || null };
  }

  async #readEvent(name: string): Promise<KeptEvent | null> {
    const path = this.#store.pathOf(this.#run, "events", name);
    const [text, atMs] = await Promise.all([readText(path), movedAtMs(path)]);
    this.#read.add(name);
    const event = text === null ? null : parseHookEvent(text);
    if (event === null) return null;
    this.#transcript = event.transcript_path ?? this.#transcript;
    return { event, atMs };
  }

  async #text(name: string): Promise<string> {
    return (await readText(this.#store.pathOf(this.#run, name))) ?? "";
  }
}

/** null where there is no such file, or none to read. */
async function readText(path: string): Promise<string | null> {
  const bytes = await readRegular(path, MAX_FILE_BYTES).catch(() => null);
  return bytes?.toString() ?? null;
}

/** When a file was last written, 0 where there is none. */
async function movedAtMs(path: string): Promise<number> {
  return await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
