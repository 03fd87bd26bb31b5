import { createHash, randomInt } from "node:crypto";
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

/** The same for every drop of the same file: at most one live job may carry it. */
export function taskKey({ project, name }: TaskFile): string {
  return createHash("sha256").update(`${project}\0${name}`).digest("hex").slice(0, 32);
}

function pick(characters: string): string {
  return characters.charAt(randomInt(characters.length));
}
