import { z } from "zod";
import { parseDurationMs } from "../core/duration.ts";
import { PROVIDERS } from "../core/route.ts";

/** Session names go into tmux targets, so only what needs no quoting there. */
const SESSION_NAME = /^[A-Za-z0-9_-]+$/;
const WORKSPACE = /^[A-Za-z0-9._-]+$/;

const path = z.string().min(1);
const sessionName = z.string().regex(SESSION_NAME, "may hold letters, digits, - and _ only");

/** The longest time a timer can be set for: a longer one would end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A duration such as `30s`, in milliseconds. */
const duration = z.string().transform((text, context) => {
  const ms = parseDurationMs(text);
  if (ms !== null && ms > 0) return ms;
  context.addIssue({ code: "custom", message: `expected a duration such as 30s, 5m or 2h, got "${text}"` });
  return z.NEVER;
});

const interval = duration.refine((ms) => ms <= MAX_TIMER_MS, "must not be longer than 24d");

/** A host that is busy for a moment must not be taken for dead. */
const silence = interval.refine((ms) => ms >= 30_000, "must be at least 30s: a host says every 10 s that it is there");

const autonomous = z
  .strictObject({
    prefix: sessionName.default("ccl-auto-"),
    start_index: z.int().min(0).default(11),
    min: z.int().min(0).default(10),
    max: z.int().min(1).max(1_000).default(10),
  })
  .refine(({ min, max }) => min <= max, { message: "min must not be larger than max", path: ["min"] });

const dedicated = z.strictObject({ project: path, session: sessionName.optional() });

const pool = z.strictObject({
  shared_projects_dir: path.optional(),
  autonomous: autonomous.prefault({}),
  dedicated: z.array(dedicated).default([]),
});

const dispatcher = z.strictObject({
  projects_dir: path.optional(),
  prompt_timeout: interval.prefault("30s"),
  poll_interval: interval.prefault("60s"),
  cooldown: duration.prefault("5m"),
});

const claude = z.strictObject({
  command: z.string().min(1).default("claude"),
  args: z.array(z.string()).default(["--dangerously-skip-permissions"]),
  models: z
    .strictObject({ critical: z.string().min(1).default("opus"), default: z.string().min(1).default("sonnet") })
    .prefault({}),
  attempts: z.int().min(1).default(3),
  backoff: duration.prefault("10s"),
  timeout: duration.prefault("2h"),
  attention_timeout: duration.prefault("1h"),
});

const provider = z.enum(PROVIDERS);

const secutools = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null),
  poll_interval: interval.prefault("30s"),
  concurrency: z.int().min(1).max(1_000).default(20),
  rate_limit: z.int().min(1).default(50),
  max_age: duration.prefault("24h"),
  auto: z
    .strictObject({
      low: provider.default("gpu"),
      medium: provider.default("gemini"),
      high: provider.default("claude-api"),
      none: provider.default("gemini"),
    })
    .prefault({}),
});

/** What operators can be notified of. */
export const NOTIFY_EVENTS = ["done", "failed", "attention", "hold"] as const;
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

const notify = z.strictObject({
  webhook: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !hasCredentials(text), "must not hold a user name or a password: the call is signed")
    .nullable()
    .default(null),
  command: z
    .tuple([z.string().min(1)], z.string())
    .nullable()
    .default(null),
  on: z.array(z.enum(NOTIFY_EVENTS)).default(["failed", "attention", "hold"]),
});

function hasCredentials(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && (url.username !== "" || url.password !== "");
}

const server = z.strictObject({
  host: z.string().min(1).default("127.0.0.1"),
  port: z.int().min(0).max(65_535).default(8420),
  read_only: z.boolean().default(false),
});

/** What a `ccl-queue.yaml` may hold. Every key has the default of the documentation; unknown keys are refused. */
export const configSchema = z
  .strictObject({
    workspace: z.string().regex(WORKSPACE, "may hold letters, digits, ., - and _ only").default("default"),
    state_dir: path.default("~/.local/state/ccl-queue"),
    redis: z.strictObject({ url: z.string().min(1).nullable().default(null) }).prefault({}),
    tmux: z.strictObject({ socket_name: sessionName.default("default") }).prefault({}),
    pool: pool.prefault({}),
    dispatcher: dispatcher.prefault({}),
    claude: claude.prefault({}),
    secutools: secutools.prefault({}),
    notify: notify.prefault({}),
    server: server.prefault({}),
    hosts: z.strictObject({ gone_after: silence.prefault("60s") }).prefault({}),
    retention: z.strictObject({ jobs: duration.prefault("30d"), runs: duration.prefault("30d") }).prefault({}),
  })
  .refine((it) => (it.dispatcher.projects_dir ?? it.pool.shared_projects_dir) || it.pool.dedicated.length > 0, {
    message: "nothing to watch: set dispatcher.projects_dir, or list projects under pool.dedicated",
    path: ["dispatcher", "projects_dir"],
  });

/** A parsed configuration file: durations in milliseconds, paths as written. */
export type ConfigFile = z.infer<typeof configSchema>;
