import { homedir } from "node:os";
import { z } from "zod";

/** Compose files set what they do not have to nothing. */
const variable = z
  .string()
  .optional()
  .transform((value) => (value === undefined || value === "" ? null : value));
const schema = z.object({
  REDIS_URL: variable,
  SECUTOOLS_URL: variable,
  SECUTOOLS_API_KEY: variable,
  CCL_QUEUE_TOKEN: variable,
  CCL_QUEUE_CONFIG: variable,
});

/** The variables that ccl-queue reads, and the operator's home directory. */
export interface Environment {
  readonly home: string;
  readonly redisUrl: string | null;
  readonly secutoolsUrl: string | null;
  readonly secutoolsApiKey: string | null;
  /** What a client of the server has to show. */
  readonly token: string | null;
  readonly configFile: string | null;
}

/** Reads the environment: the only place where ccl-queue does. */
export function readEnvironment(): Environment {
  const variables = schema.parse(process.env);
  return {
    home: homedir(),
    redisUrl: variables.REDIS_URL,
    secutoolsUrl: variables.SECUTOOLS_URL,
    secutoolsApiKey: variables.SECUTOOLS_API_KEY,
    token: variables.CCL_QUEUE_TOKEN,
    configFile: variables.CCL_QUEUE_CONFIG,
  };
}

/** Keys that belong to the queue: what it starts must not inherit them. */
const SECRETS = ["REDIS_URL", "SECUTOOLS_API_KEY", "CCL_QUEUE_TOKEN"];
/** Marks of a tmux around the daemon: with them tmux would refuse to nest. */
const TMUX_MARKS = ["TMUX", "TMUX_PANE"];

/** The environment for programs that the daemon starts: its own, without the queue's keys and with `extra`. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const left = [...SECRETS, ...TMUX_MARKS];
  const inherited = Object.entries(process.env).flatMap(([name, value]) =>
    value === undefined || left.includes(name) ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(inherited), ...extra };
}
