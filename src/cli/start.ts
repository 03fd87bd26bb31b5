import { access } from "node:fs/promises";
import { App } from "../app.ts";
import { type Config, configCandidates, loadConfig } from "../config/config.ts";
import { type Environment, readEnvironment } from "../config/environment.ts";
import { QueueError } from "../core/errors.ts";
import { createLog, errorFields, logEvents } from "./log.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

/** `ccl-queue start`: the daemon in the foreground, until it is told to stop. */
export async function start(options: { config?: string }): Promise<void> {
  const config = await findConfig(options.config, readEnvironment());
  const log = createLog(process.stdout);
  const app = new App({
    config,
    onError: (error) => log.error(errorFields(error), "something went wrong and is tried again"),
  });
  logEvents(log, app.events);
  await runUntilStopped(app, {
    onStarted: () =>
      log.info(`watching ${watched(config)}; sessions ${sessions(config)} on tmux -L ${config.tmuxSocket}`),
    onStopping: () => log.info("stopping: agents go on, the next start takes them over"),
  });
}

async function findConfig(named: string | undefined, environment: Environment): Promise<Config> {
  const asked = named ?? environment.configFile;
  if (asked !== null && asked !== undefined) return loadConfig(asked, environment);
  const candidates = configCandidates(environment, process.cwd());
  for (const file of candidates) {
    if (
      await access(file).then(
        () => true,
        () => false,
      )
    )
      return loadConfig(file, environment);
  }
  throw new QueueError(`there is no configuration: looked for ${candidates.join(" and ")}`, {
    code: "CONFIG_NOT_FOUND",
    hint: "`ccl-queue init` writes one here, `ccl-queue demo` needs none",
  });
}

function watched({ projectsDir, dedicated }: Config): string {
  const folder = projectsDir === null ? [] : [`${projectsDir}/*/.agent-queue/inbox`];
  return [...folder, ...dedicated.map(({ project }) => `${project}/.agent-queue/inbox`)].join(", ");
}

function sessions({ pool: { prefix, startIndex, max } }: Config): string {
  return max === 1 ? `${prefix}${startIndex}` : `${prefix}${startIndex} to ${prefix}${startIndex + max - 1}`;
}
