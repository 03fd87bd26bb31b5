import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TaskEvent } from "../../src/core/events.ts";
import { type ClaudeHome, makeClaudeHome } from "./claude-home.ts";
import { livingIn } from "./living.ts";
import { type ModelRequest, type ModelServer, type Reply, startModelServer } from "./model-server.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "./queue-fixture.ts";
import { until } from "./until.ts";

const CACHE = new URL("../../.cache/claude/", import.meta.url).pathname;
/** For whatever has to happen: the machine may be busy. */
const TIMEOUT_MS = 60_000;

export interface RealQueueOptions extends Omit<FixtureOptions, "claude"> {
  /** Of Claude Code. */
  readonly version: string;
  readonly reply: (request: ModelRequest) => Reply | Promise<Reply>;
  /** More of the agent's environment; null takes a variable out. */
  readonly env?: Readonly<Record<string, string | null>>;
}

type EventOf<Type extends TaskEvent["type"]> = Extract<TaskEvent, { type: Type }>;

/** A queue whose agents are the real Claude Code, on a model of ours. */
export interface RealQueue {
  readonly queue: QueueFixture;
  readonly model: ModelServer;
  readonly home: ClaudeHome;
  /** The requests that are the conversation's own, in order. */
  asked(): ModelRequest[];
  /** Waits for the nth event of a type. */
  event<Type extends TaskEvent["type"]>(type: Type, nth?: number): Promise<EventOf<Type>>;
  /** The pid of a run's agent. */
  agent(run: string): Promise<number>;
  /** The names of the living processes that belong to its runs. */
  inRuns(): Promise<string[]>;
  /** What stands on the first session's screen. */
  screen(): Promise<string>;
  /** A person presses keys in the first session, by tmux's names for them. */
  press(...keys: string[]): Promise<void>;
  /** What runs in the first session's pane. */
  command(): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a queue on the real Claude Code, in a home of its own. */
export async function startRealQueue({ version, reply, env = {}, ...options }: RealQueueOptions): Promise<RealQueue> {
  const model = await startModelServer({ reply });
  const home = await makeClaudeHome({ modelUrl: model.url });
  const environment = Object.fromEntries(
    Object.entries({ ...home.env, ...env }).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
  const command = join(CACHE, version, "node_modules", ".bin", "claude");
  const queue = await startQueue({ sessions: 1, ...options, claude: { command, environment } });
  const events = <Type extends TaskEvent["type"]>(type: Type) =>
    queue.events.filter((event): event is EventOf<Type> => event.type === type);
  const pane = "=ccl-auto-11:";

  return {
    queue,
    model,
    home,
    asked: () => model.requests.filter(({ side }) => !side),
    event: async (type, nth = 1) => await until(`event ${nth} "${type}"`, () => events(type)[nth - 1], TIMEOUT_MS),
    agent: async (run) => {
      const text = await readFile(join(queue.config.stateDir, "runs", run, "pid"), "utf8");
      return Number(text.split(" ")[0]);
    },
    inRuns: async () => (await livingIn(home.dir)).filter(({ isOfRun }) => isOfRun).map(({ name }) => name),
    screen: async () => await queue.tmux("capture-pane", "-p", "-t", pane),
    press: async (...keys) => {
      await queue.tmux("send-keys", "-t", pane, ...keys);
    },
    command: async () => await queue.tmux("list-panes", "-t", pane, "-F", "#{pane_current_command}"),
    stop: async () => {
      await queue.stop();
      await model.close();
      // Claude Code writes to its home until it is gone.
      await until("its home is empty", async () => (await livingIn(home.dir)).length === 0, TIMEOUT_MS);
      await home.remove();
    },
  };
}
