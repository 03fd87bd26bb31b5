import { App } from "../app.ts";
import type { Config } from "../config/config.ts";
import { readEnvironment } from "../config/environment.ts";
import { describeHold } from "../core/describe-event.ts";
import { findConfig, noConfig } from "./find-config.ts";
import { createLog, errorLog, logEvents } from "./log.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

export interface StartOptions {
  readonly config?: string;
  /** Without any configuration, run the demo. */
  readonly orDemo?: true;
}

/** `ccl-queue start`: the daemon in the foreground, until it is told to stop. */
export async function start(options: StartOptions): Promise<void> {
  const config = await findConfig(options.config, readEnvironment());
  if (config !== null) return await run(config);
  if (options.orDemo) return await (await import("./demo.ts")).demo();
  throw noConfig();
}

async function run(config: Config): Promise<void> {
  const log = createLog(process.stdout);
  const app = new App({
    config,
    onError: errorLog(log),
    onHold: (hold) => log.warn({ hold }, describeHold(hold)),
  });
  logEvents(log, app.events);
  await runUntilStopped(app, {
    onStarted: () =>
      log.info(`watching ${watched(config)}; sessions ${sessions(config)} on tmux -L ${config.tmuxSocket}; ${app.url}`),
    onStopping: () => log.info("stopping: agents go on, the next start takes them over"),
  });
}

function watched({ projectsDir, dedicated }: Config): string {
  const folder = projectsDir === null ? [] : [`${projectsDir}/*/.agent-queue/inbox`];
  return [...folder, ...dedicated.map(({ project }) => `${project}/.agent-queue/inbox`)].join(", ");
}

function sessions({ pool: { prefix, startIndex, max } }: Config): string {
  return max === 1 ? `${prefix}${startIndex}` : `${prefix}${startIndex} to ${prefix}${startIndex + max - 1}`;
}
