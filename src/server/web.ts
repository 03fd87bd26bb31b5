import type { Hono, MiddlewareHandler } from "hono";
import type { Config } from "../config/config.ts";
import type { Controls } from "../control/controls.ts";
import { createApi } from "./api.ts";
import { Attempts } from "./attempts.ts";
import { type BoardOptions, createBoard } from "./bull-board/board.ts";
import { BOARD_PATH } from "./bull-board/path.ts";
import { createDashboard } from "./dashboard/dashboard.tsx";
import { EventStreams } from "./event-streams.ts";
import { guard } from "./guard.ts";
import type { LiveEvents } from "./live-events.ts";
import { createLogin } from "./login.ts";
import { Metrics } from "./metrics.ts";

export interface WebOptions {
  readonly controls: Controls;
  /** What Bull Board shows. */
  readonly queues: BoardOptions["queues"];
  readonly events: LiveEvents;
  readonly server: Config["server"];
  readonly workspace: string;
  readonly onError: (error: unknown) => void;
}

export interface Web {
  /** For everyone who may come. */
  readonly guarded: Hono;
  /** For the daemon's own user, who needs no token and may change things in read-only mode, too. */
  readonly trusted: Hono;
}

const letIn: MiddlewareHandler = async (_context, next) => await next();

/** Everything that is served: the API and the pages. */
export function createWeb({ controls, queues, events, server, workspace, onError }: WebOptions): Web {
  const { token, readOnly } = server;
  const attempts = new Attempts({ onLimited: onError });
  const streams = new EventStreams();
  const shared = { controls, events, streams, metrics: new Metrics({ controls, events }), onError };
  const projects = async () => await controls.projects();
  const login = token !== null;
  const dashboard = createDashboard({ controls, projects, streams, workspace, readOnly, login, onError });
  const guarded = createApi({
    ...shared,
    guard: guard({ ...server, attempts }),
    login: createLogin({ token, attempts }),
    readOnly,
    pages: { "/": dashboard.pages, [BOARD_PATH]: createBoard({ controls, queues, readOnly, onError }) },
    problemPage: dashboard.problemPage,
  });
  return { guarded, trusted: createApi({ ...shared, guard: letIn }) };
}
