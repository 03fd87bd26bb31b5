import { createBullBoard } from "@bull-board/api";
import { HonoAdapter } from "@bull-board/hono";
import { Hono, type MiddlewareHandler, type Next } from "hono";
import { QueueError } from "../../core/errors.ts";
import { adapterOf } from "./adapters.ts";
import type { BoardQueue } from "./board-queue.ts";
import { HIDE_REFUSED } from "./hide-refused.ts";
import { BOARD_PATH } from "./path.ts";
import { staticFile } from "./static-files.ts";

/** The most jobs a page, as Bull Board's own settings have it. */
const MAX_JOBS = 300;
/** Its page sets styles in the text, and a base for its addresses. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
/** The page's own link to the fonts of another server. */
const FOREIGN_LINK = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g;

/** Its files are served by us, from wherever they are installed. */
const noStatic: ConstructorParameters<typeof HonoAdapter>[0] = () => async (_context: unknown, next: Next) =>
  await next();

/** What Bull Board shows: its page, and what that asks for again and again. */
export function createPages(queues: readonly BoardQueue[], readOnly: boolean): Hono {
  const adapter = new HonoAdapter(noStatic).setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queues.map((queue) => adapterOf(queue, readOnly)),
    serverAdapter: adapter,
    options: {
      uiConfig: {
        boardTitle: "ccl-queue",
        miscLinks: [{ text: "Dashboard", url: "/" }],
        hideDocsLink: true,
        // Each look would otherwise list all of Redis' clients once for each queue.
        showWorkers: false,
      },
    },
  });
  const pages = new Hono({ strict: false });
  pages.onError((error) => {
    throw error;
  });
  pages.use(ownPage);
  pages.get(`${BOARD_PATH}/static/:path{.+}`, async (context) => await staticFile(context, context.req.param("path")));
  pages.get(`${BOARD_PATH}/api/queues`, limitJobs);
  pages.route(BOARD_PATH, adapter.registerPlugin());
  return pages;
}

/** Nobody else is asked for anything, and what is refused is not offered. */
const ownPage: MiddlewareHandler = async (context, next) => {
  await next();
  if (!(context.res.headers.get("content-type") ?? "").startsWith("text/html")) return;
  const page = await context.res.text();
  context.res = new Response(page.replace(FOREIGN_LINK, "").replace("</head>", `${HIDE_REFUSED}</head>`), context.res);
  context.header("content-security-policy", POLICY);
};

const limitJobs: MiddlewareHandler = async (context, next) => {
  if (Number(context.req.query("jobsPerPage") ?? 0) <= MAX_JOBS) return await next();
  throw new QueueError(`at most ${MAX_JOBS} jobs are shown at once`, { code: "REQUEST_INVALID" });
};
