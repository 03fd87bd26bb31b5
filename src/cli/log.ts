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

/** How long the same error is not told again: a Redis that is away fails many times a second. */
const SAME_ERROR_MS = 30_000;

/** Writes errors of the daemon's parts, which try again by themselves. */
export function errorLog(log: Logger): (error: unknown) => void {
  const toldMs = new Map<string, number>();
  return (error) => {
    const message = messageOf(error);
    const nowMs = performance.now();
    if (nowMs - (toldMs.get(message) ?? -SAME_ERROR_MS) < SAME_ERROR_MS) return;
    toldMs.set(message, nowMs);
    const { code, hint } = error instanceof QueueError ? error : { code: undefined, hint: null };
    log.error({ code, hint: hint ?? undefined }, message);
  };
}
