import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { configSchema } from "./schema.ts";

const DAY_MS = 86_400_000;
const SESSIONS = 3;

/** The configuration of `ccl-queue demo`: everything it starts lives in the demo project and on a tmux server of its own. */
export function demoConfig(project: string, platform: { readonly url: string; readonly key: string } | null): Config {
  const { claude, dispatcher, secutools, notify } = configSchema.parse({ pool: { dedicated: [{ project }] } });
  return {
    workspace: "demo",
    stateDir: join(project, ".state"),
    redisUrl: null,
    tmuxSocket: `ccl-queue-demo-${createHash("sha256").update(project).digest("hex").slice(0, 6)}`,
    pool: { prefix: "ccl-auto-", startIndex: 11, min: SESSIONS, max: SESSIONS },
    sessionDir: project,
    projectsDir: null,
    dedicated: [{ project, session: null }],
    claude: {
      command: process.execPath,
      args: [join(project, "agent.js"), ...claude.args],
      models: claude.models,
      attempts: claude.attempts,
      backoffMs: claude.backoff,
      timeoutMs: claude.timeout,
      attentionTimeoutMs: claude.attention_timeout,
    },
    promptTimeoutMs: dispatcher.prompt_timeout,
    sweepIntervalMs: dispatcher.poll_interval,
    cooldownMs: dispatcher.cooldown,
    secutools: {
      url: platform?.url ?? null,
      apiKey: platform?.key ?? null,
      pollIntervalMs: secutools.poll_interval,
      concurrency: secutools.concurrency,
      rateLimit: secutools.rate_limit,
      maxAgeMs: secutools.max_age,
      auto: secutools.auto,
    },
    notify: { webhook: null, webhookSecret: null, command: null, on: notify.on },
    server: { host: "127.0.0.1", port: 0, token: null, readOnly: false },
    goneAfterMs: DAY_MS,
    retention: { jobsMs: DAY_MS, runsMs: DAY_MS },
  };
}
