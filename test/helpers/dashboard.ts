import type { Hono } from "hono";
import { createApi } from "../../src/server/api.ts";
import { createDashboard, type DashboardOptions } from "../../src/server/dashboard/dashboard.tsx";
import { EventStreams } from "../../src/server/event-streams.ts";
import { controlsThat, quietParts } from "./api-controls.ts";
import { exampleDetail, exampleOverview, exampleScreen, NOW_MS } from "./dashboard-data.ts";

export interface DashboardFixture {
  readonly app: Hono;
  readonly streams: EventStreams;
  /** What was asked of the daemon, in order: `retry k1`. */
  readonly asked: string[];
  readonly errors: unknown[];
  /** A page's status and HTML. */
  page(path: string, headers?: Record<string, string>): Promise<{ status: number; html: string; headers: Headers }>;
  /** Sends a form; returns where it leads, and the cookie that comes with it. */
  post(
    path: string,
    fields?: Record<string, string>,
  ): Promise<{ status: number; to: string | null; cookie: string; html: string }>;
}

type Controls = DashboardOptions["controls"];

/** The pages, with examples behind them unless other `answers` are given. */
export function dashboardWith(
  answers: Partial<Controls> = {},
  options: Partial<DashboardOptions> = {},
): DashboardFixture {
  const asked: string[] = [];
  const errors: unknown[] = [];
  const done = (what: string) => {
    asked.push(what);
    return { task: "site/x.md", path: "/srv/projects/site/.agent-queue/inbox/x.md" };
  };
  const held = (what: string) => {
    asked.push(what);
    return null;
  };
  const controls = controlsThat({
    overview: async () => exampleOverview(),
    tasks: async ({ offset }) => ({ total: 0, offset, tasks: [] }),
    task: async (text) => ({ ...exampleDetail("failed"), id: text }),
    sessions: async () => exampleOverview().sessions,
    screen: async (session) => ({
      session,
      at: new Date(NOW_MS).toISOString(),
      columns: 80,
      rows: 24,
      text: exampleScreen(0),
    }),
    add: async (draft) => done(`add ${JSON.stringify(draft)}`),
    retry: async (task) => done(`retry ${task}`),
    retryAll: async (project) => [done(`retryAll ${project}`)],
    cancel: async (task) => done(`cancel ${task}`),
    hold: async () => held("hold"),
    resume: async () => held("resume"),
    ...answers,
  });
  const streams = options.streams ?? new EventStreams();
  const onError = (error: unknown) => void errors.push(error);
  const shown = { workspace: "default", readOnly: false, login: false };
  const projects = async () => ["/srv/projects/site", "/srv/projects/api"];
  const dashboard = createDashboard({ controls, projects, streams, onError, ...shown, ...options });
  const app = createApi({
    ...quietParts(),
    ...{ controls, streams },
    guard: async (_context, next) => await next(),
    pages: { "/": dashboard.pages },
    problemPage: dashboard.problemPage,
    onError,
  });
  return {
    ...{ app, streams, asked, errors },
    page: async (path, headers = {}) => {
      const response = await app.request(path, { headers: { accept: "text/html", ...headers } });
      return { status: response.status, html: await response.text(), headers: response.headers };
    },
    post: async (path, fields = {}) => {
      const body = new URLSearchParams(fields);
      const response = await app.request(path, { method: "POST", headers: { accept: "text/html" }, body });
      const cookie = (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
      return { status: response.status, to: response.headers.get("location"), cookie, html: await response.text() };
    },
  };
}
