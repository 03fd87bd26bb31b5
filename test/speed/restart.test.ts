import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { statusSchema } from "../../src/control/status.ts";
import { type RunRecord, runRecord } from "../../src/workers/run/record.ts";
import { type Daemon, endDaemons, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const MOST_MS = 2_000;
/** A hook of the project's own, say: what an agent does when it is told to end takes its time. */
const SLOW_END = "case $event in *SessionEnd*) sleep 0.3 ;; esac";

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => await endDaemons(queue, [daemon]));

const names = (kind: string, count: number) => Array.from({ length: count }, (_, index) => `${kind}-${index}.md`);
const submits = async () => (await queue.witness()).filter(({ event }) => event === "submit");
const inRun = (run: RunRecord, ...parts: string[]) => join(queue.config.stateDir, "runs", run.id, ...parts);

async function dropAll(files: readonly string[], text: string): Promise<void> {
  const before = (await submits()).length;
  for (const name of files) await queue.drop(name, text);
  await until(`${files.length} more run`, async () => (await submits()).length === before + files.length, 30_000);
}

/** The only run of each of these tasks. */
async function runsOf(files: readonly string[]): Promise<RunRecord[]> {
  const root = join(queue.config.stateDir, "runs");
  const texts = await Promise.all((await readdir(root)).map((id) => readFile(join(root, id, "run.json"), "utf8")));
  return texts.map((text) => runRecord.parse(JSON.parse(text))).filter(({ name }) => files.includes(name));
}

async function hasStopped(run: RunRecord): Promise<boolean> {
  const events = (await readdir(inRun(run, "events"))).filter((name) => name.endsWith(".json"));
  const texts = await Promise.all(events.map((name) => readFile(inRun(run, "events", name), "utf8")));
  return texts.some((text) => text.includes('"Stop"'));
}

/** As a daemon leaves it that is killed when it has seen the run's end, and before its agent has ended. */
async function leaveEnded(run: RunRecord): Promise<void> {
  const launchedAtMs = run.state.name === "launched" ? run.state.atMs : 0;
  const end = { kind: "finished", message: "done" };
  const state = { name: "ended", launchedAtMs, atMs: Date.now(), end, submitted: true, screen: null };
  await writeFile(inRun(run, "run.json"), JSON.stringify({ ...run, state }));
  const hook = await readFile(inRun(run, "hook.sh"), "utf8");
  await writeFile(inRun(run, "hook.sh"), hook.replace("event=$(cat)\n", `event=$(cat)\n${SLOW_END}\n`));
}

/** As a daemon leaves it that is killed just before it starts the agent. */
async function leavePrepared(run: RunRecord): Promise<void> {
  await queue.tmux("kill-session", "-t", `=${run.session}`);
  await writeFile(inRun(run, "run.json"), JSON.stringify({ ...run, state: { name: "prepared" } }));
  await rm(inRun(run, "pid"));
}

test("ten sessions after kill -9: all that runs is watched and all that has ended is done within 2 s", async () => {
  queue = await prepareQueue({ sessions: 10 });
  daemon = await startDaemon(queue.configFile, queue.environment);
  const running = [...names("prepared", 1), ...names("works", 2)];
  await dropAll(running, "agent: work 60s\n");
  const ended = [...names("ended", 5), ...names("finished", 2)];
  await dropAll(ended, "agent: work 4s\n");
  daemon.signal("SIGKILL");
  await daemon.ended();
  const finished = await runsOf(ended);
  await until("they have finished", async () => (await Promise.all(finished.map(hasStopped))).every(Boolean));
  for (const run of await runsOf(names("ended", 5))) await leaveEnded(run);
  for (const run of await runsOf(names("prepared", 1))) await leavePrepared(run);

  const startedMs = performance.now();
  daemon = runCommand(["start", "--config", queue.configFile], queue.environment);
  const status = async () => await askDaemon(queue.config.stateDir, "GET", "/api/status", statusSchema);
  const isBack = async () => {
    const { runs } = await status().catch(() => ({ runs: [] }));
    return runs.length === running.length && (await queue.names("done")).join() === ended.join() && runs;
  };
  const runs = await until("all is in hand again", isBack);
  expect(performance.now() - startedMs).toBeLessThan(MOST_MS);
  expect(runs.map(({ task }) => task).toSorted()).toEqual(running.map((name) => `alpha/${name}`));
  expect(await queue.names("done")).toEqual(ended);
  await until("the one that was only prepared runs", async () => (await submits()).length === 11);
});
