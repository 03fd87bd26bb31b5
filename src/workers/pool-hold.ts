import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { FOREVER_MS, type Hold } from "../core/verdict.ts";

const holdFile = z.object({
  kind: z.enum(["limit", "login", "manual"]),
  sinceMs: z.number(),
  untilMs: z.number().max(FOREVER_MS),
  message: z.string(),
});

export interface PoolHoldOptions {
  readonly stateDir: string;
  readonly now: () => number;
  /** Told when a hold begins, is made longer, or is over (null). */
  readonly onChange: (hold: Hold | null) => void;
}

/**
 * The pool's hold: while an account's limit lasts, nothing is launched; after it, one task goes first as a probe and
 * the rest follow once it is through. Kept in a file, so that a restart holds on.
 */
export class PoolHold {
  readonly #options: PoolHoldOptions;
  readonly #file: string;
  #hold: Hold | null = null;
  /** The job that went first after the hold's time, until its run is over. */
  #probe: string | null = null;
  /** Whether the file says what is in force. */
  #isKept = true;
  #told: Hold | null = null;

  constructor(options: PoolHoldOptions) {
    this.#options = options;
    this.#file = join(options.stateDir, "hold.json");
  }

  /** Takes up the hold of an earlier daemon. */
  async load(): Promise<void> {
    this.#hold = holdFile.safeParse(parseJson(await readFile(this.#file, "utf8").catch(() => ""))).data ?? null;
    this.#tell();
  }

  /** The hold in force, or null. */
  get current(): Hold | null {
    return this.#hold;
  }

  /** How many of so many free sessions may be given a task now: none, one as the probe, or all. */
  allow(sessions: number): number {
    if (this.#hold === null) return sessions;
    if (this.#probe !== null || !this.#isTimeOver()) return 0;
    return Math.min(sessions, 1);
  }

  /** A job was given out: after a hold's time it is the probe. */
  launched(job: string): void {
    if (this.#isTimeOver()) this.#probe ??= job;
  }

  /** A job's run proves nothing: if it was the probe, the next one may be. */
  unused(job: string): void {
    if (this.#probe === job) this.#probe = null;
  }

  /** Begins a hold, or makes it longer: then no job that is under way is the probe any more. */
  async raise(hold: Hold): Promise<void> {
    const before = this.#hold;
    const isLater = before === null || hold.untilMs > before.untilMs || isOtherWord(hold, before);
    if (!isLater && this.#isKept) return;
    if (isLater) this.#probe = null;
    this.#hold = isLater ? { ...hold, sinceMs: before?.sinceMs ?? hold.sinceMs } : before;
    this.#isKept = false;
    await writeFileAtomic(this.#file, JSON.stringify(this.#hold), { mode: 0o600 });
    this.#isKept = true;
    this.#tell();
  }

  /** A job's run met no limit: if it was the probe, the hold is over. */
  async passed(job: string): Promise<void> {
    if (this.#probe === job) await this.release();
  }

  /** Ends the hold, whatever it was for. */
  async release(): Promise<void> {
    this.#probe = null;
    if (this.#hold === null) return;
    this.#hold = null;
    await rm(this.#file, { force: true });
    this.#tell();
  }

  #isTimeOver(): boolean {
    return this.#hold !== null && this.#options.now() >= this.#hold.untilMs;
  }

  /** Once for each change, however many runs meet the same limit at the same moment. */
  #tell(): void {
    if (this.#told === this.#hold) return;
    this.#told = this.#hold;
    this.#options.onChange(this.#hold);
  }
}

/** Somebody who holds it again may have another reason. */
function isOtherWord(hold: Hold, before: Hold): boolean {
  return hold.kind === "manual" && hold.message !== before.message;
}
