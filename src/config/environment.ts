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
  CCL_QUEUE_WEBHOOK_SECRET: variable,
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
  /** What signs the calls of `notify.webhook`. */
  readonly webhookSecret: string | null;
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
    webhookSecret: variables.CCL_QUEUE_WEBHOOK_SECRET,
    configFile: variables.CCL_QUEUE_CONFIG,
  };
}

/** What the environment says of the terminal. */
export interface Terminal {
  /** Somebody wants no colours. */
  readonly noColor: boolean;
  /** Somebody wants colours, whatever stdout is. */
  readonly forceColor: boolean;
  /** It cannot do more than write lines. */
  readonly dumb: boolean;
  /** The tmux that we run in, or null: its server's socket, and what tells its programs which pane they are in. */
  readonly tmux: { readonly socket: string; readonly marks: Readonly<Record<string, string>> } | null;
}

const terminal = z.object({
  ...{ NO_COLOR: variable, FORCE_COLOR: variable, TERM: variable },
  ...{ TMUX: variable, TMUX_PANE: variable },
});

/** Reads what says how to write to the terminal. */
export function readTerminal(): Terminal {
  const { NO_COLOR, FORCE_COLOR, TERM, TMUX, TMUX_PANE } = terminal.parse(process.env);
  const pane = TMUX_PANE === null ? {} : { TMUX_PANE };
  return {
    noColor: NO_COLOR !== null,
    forceColor: FORCE_COLOR !== null && FORCE_COLOR !== "0",
    dumb: TERM === "dumb",
    tmux: TMUX === null ? null : { socket: TMUX.split(",")[0] ?? "", marks: { TMUX, ...pane } },
  };
}

/** Keys that belong to the queue: what it starts must not inherit them. */
const SECRETS = ["REDIS_URL", "SECUTOOLS_API_KEY", "CCL_QUEUE_TOKEN", "CCL_QUEUE_WEBHOOK_SECRET"];
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
