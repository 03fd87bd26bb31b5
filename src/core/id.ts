import { createHash, randomInt, randomUUID } from "node:crypto";
import type { TaskFile } from "./task.ts";

const LETTERS = "abcdefghijkmnpqrstuvwxyz";
const ALPHABET = `${LETTERS}23456789`;
const LENGTH = 10;

/**
 * A new task id: ten characters that are hard to confuse when read or typed, enough that two of a million tasks
 * hardly ever meet. It starts with a letter, as BullMQ refuses ids that are numbers.
 */
export function newTaskId(): string {
  const rest = Array.from({ length: LENGTH - 1 }, () => pick(ALPHABET));
  return pick(LETTERS) + rest.join("");
}

/** Names a task's nth run. It is written into the file's footer, so that a file put back has its task's id again. */
export function runId(task: string, number: number): string {
  return `${task}-${number}`;
}

/** What is known of a task that had runs: its id, and how many there were. */
export interface EarlierRuns {
  readonly id: string;
  readonly runs: number;
}

/** Names the end of a task that somebody cancelled: no run's own name, as whoever runs it does not know yet. */
export function cancellationId(earlier: EarlierRuns | null): string {
  const end = `cancelled-${randomUUID()}`;
  return earlier === null ? end : `${runId(earlier.id, earlier.runs)}-${end}`;
}

/** Whether a run's name is that of a cancellation. */
export function isCancellation(run: string): boolean {
  return run.includes("cancelled-");
}

const RUN_ID = new RegExp(`^([${LETTERS}][${ALPHABET}]{${LENGTH - 1}})-(\\d{1,9})(?:-cancelled-[\\da-f-]{36})?$`);

/** The task and how many runs it has had by then, null for what names none of ours. */
export function parseRunId(text: string): EarlierRuns | null {
  const [, id, number] = RUN_ID.exec(text) ?? [];
  return id === undefined ? null : { id, runs: Number(number) };
}

/** The same for every drop of the same file: at most one live job may carry it. */
export function taskKey({ project, name }: TaskFile): string {
  return createHash("sha256").update(`${project}\0${name}`).digest("hex").slice(0, 32);
}

function pick(characters: string): string {
  return characters.charAt(randomInt(characters.length));
}
