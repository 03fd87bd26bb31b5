import pino, { type Logger } from "pino";
import pretty from "pino-pretty";
import { describeEvent } from "../core/describe-event.ts";
import { messageOf, QueueError } from "../core/errors.ts";
import type { TaskEvents } from "../core/events.ts";
import { taskLabel } from "../core/task.ts";

/** The daemon's log on stdout: lines for people in a terminal, JSON lines anywhere else. */
export function createLog(output: NodeJS.WriteStream): Logger {
  if (!output.isTTY) return pino({ base: null }, output);
  const options = {
    ignore: "event,id",
    translateTime: "HH:MM:ss",
    messageFormat: "{if task}{task}: {end}{msg}",
    hideObject: false,
  };
  return pino({ base: null }, pretty({ ...options, destination: output, sync: true }));
}

/** Writes a line for each step of each task. */
export function logEvents(log: Logger, events: TaskEvents): void {
  events.on((event) => {
    const { task, id, ...details } = event;
    const level = event.type === "failed" || event.type === "rejected" ? "warn" : "info";
    log[level]({ task: taskLabel(task), id, event: details }, describeEvent(event));
  });
}

/** How long the same error is not told again: at first, and at most. Each time that it is told doubles it. */
const AGAIN_MS = 30_000;
const LATEST_AGAIN_MS = 60 * 60_000;
/** An error that was not met for so long is over: the next one is told at once. */
const OVER_MS = 5 * 60_000;

interface Told {
  readonly atMs: number;
  readonly metMs: number;
  readonly waitMs: number;
}

/** Writes errors of the daemon's parts, which try again by themselves: a Redis that is away fails many times a second. */
export function errorLog(log: Logger): (error: unknown) => void {
  const told = new Map<string, Told>();
  return (error) => {
    const message = messageOf(error);
    const nowMs = performance.now();
    for (const [text, { metMs }] of told) if (nowMs - metMs > OVER_MS) told.delete(text);
    const before = told.get(message);
    if (before !== undefined && nowMs - before.atMs < before.waitMs) {
      told.set(message, { ...before, metMs: nowMs });
      return;
    }
    const waitMs = before === undefined ? AGAIN_MS : Math.min(before.waitMs * 2, LATEST_AGAIN_MS);
    told.set(message, { atMs: nowMs, metMs: nowMs, waitMs });
    const { code, hint } = error instanceof QueueError ? error : { code: undefined, hint: null };
    log.error({ code, hint: hint ?? undefined }, message);
  };
}
