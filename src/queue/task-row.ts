import { z } from "zod";
import { parseJson } from "../core/json.ts";
import { PROVIDERS } from "../core/route.ts";
import { bullPriority, type TaskFile, type TaskState } from "../core/task.ts";
import { FOREVER_MS } from "../core/verdict.ts";
import { ending, taskPayload } from "./payload.ts";

/** The fields of a job's hash that a row is made of, in the order in which they are read. */
export const JOB_FIELDS = ["data", "timestamp", "processedOn", "finishedOn", "failedReason", "returnvalue"] as const;

/** A task's data in whichever queue it is. */
const anyPayload = taskPayload.extend({
  reason: z.string().nullable().default(null),
  attempts: z.int().min(0).default(0),
  provider: z.enum(PROVIDERS).nullable().default(null),
  remote: z.object({ id: z.string() }).nullable().default(null),
  ending: ending.nullable().default(null),
});
type AnyPayload = z.infer<typeof anyPayload>;

const atMs = z.coerce.number().max(FOREVER_MS);
const ms = atMs.nullable();
const text = z.string().nullable();
const fields = z.tuple([text, atMs, ms, ms, text, text]);

/** A task as the queue knows it. Times in ms since the epoch; null = not known, or not so far. */
export interface TaskRow {
  readonly id: string;
  /** The queue that it has come to. */
  readonly queue: "inbox" | "local" | "delegated";
  readonly task: TaskFile;
  readonly state: TaskState;
  readonly header: AnyPayload["header"];
  /** The lower, the sooner. */
  readonly priority: number;
  /** Why it went where it is. */
  readonly reason: string | null;
  readonly provider: AnyPayload["provider"];
  /** The platform's job. */
  readonly remoteId: string | null;
  /** Attempts that are used up. */
  readonly attempts: number;
  readonly enqueuedAtMs: number;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly error: string | null;
  readonly ending: AnyPayload["ending"];
}

/** Reads one job; null for one that stands for no task of its own: it went on to another queue, or cannot be read. */
export function toRow(id: string, queue: TaskRow["queue"], type: string, values: unknown): TaskRow | null {
  const read = fields.safeParse(values).data;
  const payload = anyPayload.safeParse(parseJson(read?.[0] ?? "")).data;
  if (read === undefined || payload === undefined) return null;
  const [, enqueuedAtMs, startedAtMs, finishedAtMs, error, returned] = read;
  const end = type === "completed" ? (ending.safeParse(parseJson(returned ?? "")).data ?? null) : payload.ending;
  const state = stateOf(queue, type, end?.result ?? null);
  if (state === null) return null;
  const { project, name, header, reason, provider, remote, attempts } = payload;
  const isOver = type === "completed" || type === "failed";
  return {
    ...{ id, queue, state, header, reason, provider, attempts, enqueuedAtMs, startedAtMs },
    task: { project, name },
    priority: bullPriority(header.priority),
    remoteId: remote?.id ?? null,
    finishedAtMs: isOver ? finishedAtMs : null,
    error: type === "failed" ? error : null,
    ending: isOver ? end : null,
  };
}

function stateOf(queue: TaskRow["queue"], type: string, result: string | null): TaskState | null {
  switch (type) {
    case "completed":
      return result === "done" || result === "cancelled" ? result : null;
    case "failed":
      return "failed";
    case "active":
      return ({ inbox: "waiting", local: "running", delegated: "delegated" } as const)[queue];
    case "delayed":
      return queue === "inbox" ? "waiting" : "delayed";
    default:
      return "waiting";
  }
}
