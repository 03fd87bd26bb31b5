import { type Context, Hono } from "hono";
import type { Controls } from "../../control/controls.ts";
import { readOnlyMode } from "../limits.ts";
import { type Problem, problemOf } from "../problem.ts";
import { isChange } from "../request.ts";
import { type BoardQueue, isForLooking } from "./board-queue.ts";
import { refused, retryFailed, retryJob } from "./commands.ts";

export interface BoardOptions {
  readonly controls: Pick<Controls, "retry">;
  /** The queues, which are opened when somebody first looks. */
  readonly queues: { open(): readonly BoardQueue[] };
  readonly readOnly: boolean;
  /** Told of what nobody foresaw. */
  readonly onError: (error: unknown) => void;
}

/** What each of the page's buttons would do, by its route, and who does it instead. */
const REFUSALS: readonly (readonly [route: RegExp, hint: string])[] = [
  [/\/(?:pause|concurrency|rate-limit)/, "to hold the pool, where everybody sees why: ccl-queue hold"],
  [/\/(?:obliterate|empty|clean)/, "to take a task out of the queue: ccl-queue cancel"],
  [/\/(?:add|update-data|delay|priority)/, "a task is its file: put one into an inbox, or edit it there"],
  [/\/retry\//, "a task that is done is run again from its own page"],
];

/**
 * Bull Board, to be mounted at BOARD_PATH. None of its own handlers that change something can be reached: what
 * is not listed here is refused, what later versions bring included.
 */
export function createBoard({ controls, queues, readOnly, onError }: BoardOptions): Hono {
  const board = new Hono();
  const one = (context: Context): BoardQueue => {
    const found = queues.open().find(({ name }) => name === context.req.param("queue"));
    if (found === undefined || isForLooking(found)) throw refusal(context);
    return found;
  };
  const id = (context: Context) => context.req.param("id") ?? "";
  let pages: Hono | null = null;
  // Not loaded before somebody looks, as most never do.
  const load = async () => (await import("./pages.ts")).createPages(queues.open(), readOnly);

  if (readOnly) board.use(readOnlyMode);
  board.put("/api/queues/:queue/retry/failed", async (context) =>
    context.json(await retryFailed(one(context), controls)),
  );
  board.put("/api/queues/:queue/promote", async (context) => await done(context, one(context).promoteAll()));
  board.put("/api/queues/:queue/resume", async (context) => await done(context, one(context).resume()));
  board.put("/api/queues/:queue/:id/retry", async (context) =>
    done(context, retryJob(one(context), id(context), controls)),
  );
  board.put("/api/queues/:queue/:id/promote", async (context) => {
    if (!(await one(context).promote(id(context)))) throw refused("this job has no delay that could be ended");
    return context.body(null, 204);
  });
  board.all("*", async (context) => {
    if (isChange(context)) throw refusal(context);
    pages ??= await load();
    const answer = await pages.fetch(context.req.raw);
    return answer.status === 404 && !isJson(answer) ? await context.notFound() : answer;
  });
  board.onError((error, context) => {
    const problem = problemOf(error);
    if (problem.status === 500) onError(error);
    return tell(context, problem);
  });
  return board;
}

async function done(context: Context, change: Promise<void>): Promise<Response> {
  await change;
  return context.body(null, 204);
}

function refusal({ req }: Context) {
  const [, hint] = REFUSALS.find(([route]) => route.test(req.path)) ?? [];
  return refused("this is not done here: it could lose tasks, or stop the queue without a word", hint);
}

/** A problem as everywhere, and in `error` and `message` what the page shows of it. */
function tell(context: Context, { status, code, detail, hint }: Problem): Response {
  const problem = { type: "about:blank", title: code, status, code, detail, ...(hint === null ? {} : { hint }) };
  const shown = { error: detail, message: hint ?? code };
  return context.body(JSON.stringify({ ...problem, ...shown }), status, { "content-type": "application/problem+json" });
}

function isJson({ headers }: Response): boolean {
  return (headers.get("content-type") ?? "").startsWith("application/json");
}
