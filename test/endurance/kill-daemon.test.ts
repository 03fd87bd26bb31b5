import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { parseRunId } from "../../src/core/id.ts";
import { isAlive, signal } from "../../src/workers/process.ts";
import { type Daemon, endDaemons, runCommand, untilItWatches } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const TASKS = 40;
/** More than usual, or fewer, of both tests, where CCL_QUEUE_TEST_KILLS says so. */
const rounds = (usual: number) => Number(process.env["CCL_QUEUE_TEST_KILLS"] ?? usual);
const KILLS = rounds(50);
const MIXED_KILLS = rounds(20);
const SESSIONS = 10;
/** Longer than a daemon takes to start, to take over what runs and to watch. */
const MOMENT_MS = 900;

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => await endDaemons(queue, [daemon]));

const names = (batch: number) => Array.from({ length: TASKS }, (_, index) => `batch-${batch}-task-${index}.md`);
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");

async function dropBatch(batch: number): Promise<void> {
  for (const name of names(batch)) await queue.drop(name, `${name}\nagent: work 1500ms\n`);
}

function launchDaemon(): void {
  daemon = runCommand(["start", "--config", queue.configFile], queue.environment);
}

async function someMoment(): Promise<void> {
  await sleep(Math.random() * MOMENT_MS);
}

/** kill -9, in every second round of these at a moment of the start. */
async function killDaemon(round: number): Promise<void> {
  if (round % 2 === 0) await untilItWatches(daemon);
  await someMoment();
  daemon.signal("SIGKILL");
  await daemon.ended();
}

/** Drops batches of tasks and does harm, so many times, until all tasks are over. Returns the number of tasks. */
async function untilOver(count: number, harm: (round: number) => Promise<void>): Promise<number> {
  let batches = 0;
  launchDaemon();
  await untilItWatches(daemon);
  for (let round = 0; round < count; round += 1) {
    if ((await queue.names("inbox")).length < SESSIONS) {
      batches += 1;
      await dropBatch(batches);
    }
    await harm(round);
    if (daemon.hasEnded()) launchDaemon();
  }
  const total = batches * TASKS;
  await until("every task is over", async () => (await over()) === total, 240_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  return total;
}

async function over(): Promise<number> {
  const [done, failed] = await Promise.all([queue.names("done"), queue.names("failed")]);
  return [...done, ...failed].filter((name) => !name.startsWith(".")).length;
}

test(`${KILLS} times kill -9 of the daemon: every task runs exactly once and is done`, async () => {
  queue = await prepareQueue({ sessions: SESSIONS });
  const total = await untilOver(KILLS, killDaemon);
  const runs = (await starts()).map(({ firstLine }) => firstLine);
  expect(runs).toHaveLength(new Set(runs).size);
  expect(runs).toHaveLength(total);
  expect(await queue.names("failed")).toEqual([]);
}, 400_000);

/** What a victim was before it was killed: the run, and the session that has its tag. */
interface Victim {
  readonly run: string;
  readonly session: string;
}

/** Any session with a run in it, or null. */
async function victim(known: ReadonlySet<string>): Promise<Victim | null> {
  const panes = await queue.tmux("list-panes", "-a", "-F", "#{@ccl_run} #{session_name}");
  const tagged = panes.split("\n").map((line) => line.split(" "));
  const victims = tagged.flatMap(([run = "", session = ""]) => (run === "" || known.has(run) ? [] : { run, session }));
  return victims[Math.floor(Math.random() * victims.length)] ?? null;
}

/** False where the session has another run by now, or none. */
async function killSession({ run, session }: Victim): Promise<boolean> {
  const isThere = `#{==:#{@ccl_run},${run}}`;
  const said = ["display-message", "-p", "-t", `=${session}:`, isThere];
  const kill = ["if-shell", "-F", "-t", `=${session}:`, isThere, `kill-session -t =${session}`];
  return (await queue.tmux(...said, ";", ...kill)) === "1";
}

/** False where it is gone already, or not there yet. */
async function killAgent({ run }: Victim): Promise<boolean> {
  const text = await readFile(join(queue.config.stateDir, "runs", run, "pid"), "utf8").catch(() => "");
  const [, pid, startTime = ""] = /^(\d+) (\d+)\n/.exec(text) ?? [];
  const agent = { pid: Number(pid), startTime };
  if (pid === undefined || !isAlive(agent)) return false;
  signal(agent.pid, "SIGKILL");
  return true;
}

/** How many of these runs each task has. */
function byTask(runs: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const run of runs) {
    const task = parseRunId(run)?.id ?? run;
    counts.set(task, (counts.get(task) ?? 0) + 1);
  }
  return counts;
}

test("the same with agents and sessions killed in between: at most the killed attempt is repeated", async () => {
  queue = await prepareQueue({ sessions: SESSIONS, limits: "attempts: 20, backoff: 100ms" });
  const hit = { sessions: new Set<string>(), agents: new Set<string>() };
  const all = () => new Set([...hit.sessions, ...hit.agents]);
  const total = await untilOver(MIXED_KILLS, async (round) => {
    if (round % 4 < 2) await killDaemon(round);
    else await someMoment();
    const one = await victim(all());
    if (one === null) return;
    const isForAgent = hit.agents.size < hit.sessions.size;
    const [kill, runs] = isForAgent ? ([killAgent, hit.agents] as const) : ([killSession, hit.sessions] as const);
    if (await kill(one)) runs.add(one.run);
  });
  expect(hit.sessions.size).toBeGreaterThan(0);
  expect(hit.agents.size).toBeGreaterThan(0);
  const runs = (await starts()).map(({ run }) => run ?? "");
  expect(runs).toHaveLength(new Set(runs).size);
  const hits = byTask(all());
  const repeated = [...byTask(runs)].filter(([task, count]) => count > 1 + (hits.get(task) ?? 0));
  expect(repeated).toEqual([]);
  expect(await queue.names("failed")).toEqual([]);
  expect((await queue.names("done")).filter((name) => !name.startsWith(".")).length).toBe(total);
}, 400_000);
