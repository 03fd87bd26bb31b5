import { access } from "node:fs/promises";
import { type Config, configCandidates, loadConfig } from "../config/config.ts";
import { type Environment, readEnvironment } from "../config/environment.ts";
import { QueueError } from "../core/errors.ts";

/** The configuration that is asked for, else the first that is there, else null. @throws {QueueError} as loadConfig */
export async function findConfig(named: string | undefined, environment: Environment): Promise<Config | null> {
  const file = await configFile(named, environment);
  return file === null ? null : loadConfig(file, environment);
}

/** The file that is asked for, else the first that is there, else null. */
export async function configFile(named: string | undefined, environment: Environment): Promise<string | null> {
  const asked = named ?? environment.configFile;
  if (asked !== null) return asked;
  for (const file of configCandidates(environment, process.cwd())) {
    if (await isThere(file)) return file;
  }
  return null;
}

async function isThere(file: string): Promise<boolean> {
  return await access(file).then(
    () => true,
    () => false,
  );
}

/** The configuration of the daemon that is meant. @throws {QueueError} as loadConfig, and CONFIG_NOT_FOUND for none */
export async function configOf(named: string | undefined): Promise<Config> {
  const config = await findConfig(named, readEnvironment());
  if (config === null) throw noConfig();
  return config;
}

export function noConfig(): QueueError {
  return new QueueError("there is no configuration: neither ./ccl-queue.yaml nor ~/.config/ccl-queue/config.yaml", {
    code: "CONFIG_NOT_FOUND",
    hint: "`ccl-queue init` writes one here, `ccl-queue demo` needs none",
  });
}
