import type { Config } from "../../config/config.ts";
import { readEnvironment } from "../../config/environment.ts";
import { configSchema } from "../../config/schema.ts";
import { QueueError } from "../../core/errors.ts";
import { Secutools } from "../../workers/secutools/client.ts";
import { findConfig } from "../find-config.ts";

/** What every verb takes. */
export interface CommonOptions {
  readonly config?: string;
  readonly json?: true;
}

type Settings = Pick<Config["secutools"], "url" | "apiKey" | "pollIntervalMs" | "auto">;

/** What a configuration says where there is one, else the environment and the defaults. */
export async function readSettings(options: CommonOptions): Promise<Settings> {
  const environment = readEnvironment();
  const config = await findConfig(options.config, environment);
  if (config !== null) return config.secutools;
  const { secutools } = configSchema.parse({ pool: { dedicated: [{ project: "." }] } });
  return {
    url: environment.secutoolsUrl,
    apiKey: environment.secutoolsApiKey,
    pollIntervalMs: secutools.poll_interval,
    auto: secutools.auto,
  };
}

/** Speaks with the platform, one request at a time. @throws {QueueError} SECUTOOLS_NOT_CONFIGURED */
export async function withSecutools<T>({ url, apiKey }: Settings, work: (client: Secutools) => Promise<T>): Promise<T> {
  if (url === null) throw missing("no URL of the secutools platform", "SECUTOOLS_URL, or secutools.url");
  if (apiKey === null) throw missing("no key of the secutools platform", "SECUTOOLS_API_KEY");
  const client = new Secutools({ url, apiKey, concurrency: 1 });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

function missing(what: string, key: string): QueueError {
  return new QueueError(`there is ${what}`, { code: "SECUTOOLS_NOT_CONFIGURED", hint: `set ${key}` });
}
