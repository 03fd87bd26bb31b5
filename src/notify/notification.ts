import { z } from "zod";
import { NOTIFY_EVENTS } from "../config/schema.ts";
import { describeEvent, describeHold } from "../core/describe-event.ts";
import type { Over, Spent, TaskEvent } from "../core/events.ts";
import { PROVIDERS } from "../core/route.ts";
import { taskLabel } from "../core/task.ts";
import { FOREVER_MS, type Hold } from "../core/verdict.ts";

/** The longest `text` and `message`, in characters: what an agent or a platform says may be of any length. */
const MAX_TEXT = 500;
const MAX_MESSAGE = 2_000;

const time = z.iso.datetime();
const count = z.int().min(0);

/** What a target is told, as JSON. All times are ISO 8601; null = it does not apply, or is not known. */
export const notification = z.object({
  event: z.enum(NOTIFY_EVENTS),
  /** Names this notification to this target: the same at each try. */
  delivery: z.string(),
  at: time,
  workspace: z.string(),
  /** The name of the daemon's host. */
  host: z.string(),
  /** One line that says all of it. */
  text: z.string(),
  task: z
    .object({
      /** null = its file could not be read as a task. */
      id: z.string().nullable(),
      /** The project's own name and the file's: `site/fix.md`. */
      task: z.string(),
      /** The project's directory. */
      project: z.string(),
      /** Where its file was finalised. */
      path: z.string().nullable(),
    })
    .nullable(),
  session: z.string().nullable(),
  provider: z.enum(PROVIDERS).nullable(),
  /** Why that one did it, of a task that is done or failed. Older daemons do not say. */
  reason: z.string().nullable().default(null),
  /** Why it failed, what it waits for, or why the pool is held. */
  message: z.string().nullable(),
  /** What the last run took, of a task that is done or failed. */
  spent: z
    .object({
      duration_ms: count,
      model: z.string().nullable(),
      tokens: z.object({ input: count, output: count }).nullable(),
      cost_usd: z.number().min(0).nullable(),
    })
    .nullable(),
  /** The hold that has begun or was made longer; null with the event `hold` = it is over. */
  hold: z
    .object({
      kind: z.enum(["limit", "login", "manual"]),
      since: time,
      /** null = until somebody resumes it. */
      until: time.nullable(),
      message: z.string(),
    })
    .nullable(),
});
export type Notification = Readonly<z.infer<typeof notification>>;

/** The part that says what happened. */
export type News = Omit<Notification, "delivery" | "at" | "workspace" | "host">;

const NOTHING = { task: null, session: null, provider: null, reason: null, message: null, spent: null, hold: null };

/** The news of a step on a task's way; null for a step that nobody is told of. */
export function newsOf(event: TaskEvent): News | null {
  const { task, id } = event;
  const text = cut(`${taskLabel(task)}: ${describeEvent(event)}`, MAX_TEXT);
  const about = { id: id || null, task: taskLabel(task), project: task.project };
  switch (event.type) {
    case "done":
    case "failed": {
      const { type, path, spent } = event;
      const message = type === "failed" ? cut(event.reason, MAX_MESSAGE) : null;
      const over = { ...whoDid(event), message, spent: shown(spent) };
      return { ...NOTHING, event: type, text, task: { ...about, path }, ...over };
    }
    case "rejected": {
      const message = cut(`TASK_INVALID: ${event.reason}`, MAX_MESSAGE);
      return { ...NOTHING, event: "failed", text, task: { ...about, path: event.path }, message };
    }
    case "attention": {
      const { session, what } = event;
      const message = cut(what, MAX_MESSAGE);
      return { ...NOTHING, event: "attention", text, task: { ...about, path: null }, session, message };
    }
    default:
      return null;
  }
}

/** The news that the pool is held, or that it no longer is (null). */
export function newsOfHold(hold: Hold | null): News {
  const text = cut(describeHold(hold), MAX_TEXT);
  if (hold === null) return { ...NOTHING, event: "hold", text };
  const message = cut(hold.message, MAX_MESSAGE);
  const since = new Date(hold.sinceMs).toISOString();
  const until = hold.untilMs === FOREVER_MS ? null : new Date(hold.untilMs).toISOString();
  return { ...NOTHING, event: "hold", text, message, hold: { kind: hold.kind, since, until, message } };
}

function whoDid({ by, decision }: Over): Pick<News, "session" | "provider" | "reason"> {
  const reason = cut(decision.reason, MAX_MESSAGE);
  return decision.route === "local"
    ? { session: by, provider: null, reason }
    : { session: null, provider: decision.provider, reason };
}

function shown({ durationMs, model, tokens, costUsd }: Spent): News["spent"] {
  return { duration_ms: Math.max(0, Math.round(durationMs)), model, tokens, cost_usd: costUsd };
}

/** Without what moves a terminal's cursor, and at most so long; never half of a character. */
function cut(text: string, max: number): string {
  const characters = [...text.replace(/[^\P{Cc}\n]/gu, "")];
  return characters.length <= max ? characters.join("") : `${characters.slice(0, max - 1).join("")}…`;
}
