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

/** What a thrown value is to the log: the code where it has one, never the whole object. */
export function errorFields(error: unknown): { code?: string; hint?: string; error: string } {
  if (!(error instanceof QueueError)) return { error: messageOf(error) };
  return { code: error.code, error: error.message, ...(error.hint === null ? {} : { hint: error.hint }) };
}
