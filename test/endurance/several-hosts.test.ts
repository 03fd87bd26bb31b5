import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import { App } from "../../src/app.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { readHosts } from "../../src/control/hosts.ts";
import { isSystemError } from "../../src/core/errors.ts";
import type { TaskEvent } from "../../src/core/events.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";
import { Hosts as KnownHosts } from "../../src/queue/hosts.ts";
import { onlyTheDeadOnesRanTwice, type Witness } from "../helpers/agent-log.ts";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { openTcpGate, type TcpGate } from "../helpers/tcp-gate.ts";
import { until } from "../helpers/until.ts";

const TASKS = 300;
const SESSIONS = 8;
/** The default of hosts.gone_after. */
const GONE_AFTER_MS = 60_000;
const CUT_MS = 40_000;
/** A host speaks every 10 s, and is looked at every 5 s. */
const SLACK_MS = 20_000;

/** A daemon of its own, as on another machine: only the projects and Redis are shared. */
interface HostProcess {
  readonly stateDir: string;
  readonly tmuxSocket: string;
  daemon: Daemon;
  restart(): Promise<void>;
}

let queue: QueueFixture;
let redis: EmbeddedRedis;
const gates: TcpGate[] = [];
const hosts: HostProcess[] = [];
let hasty: App | null = null;

afterEach(async () => {
  for (const gate of gates) gate.mend();
  await hasty?.stop();
  await hasty?.tmux.killServer();
  hasty = null;
  for (const { daemon, tmuxSocket } of hosts.splice(0)) {
    daemon.signal("SIGKILL");
    await daemon.ended();
    await tmux(tmuxSocket, "kill-server").catch(() => {});
  }
  for (const gate of gates.splice(0)) await gate.close();
  await redis.stop();
  await queue.stop();
});

async function prepare(): Promise<void> {
  queue = await prepareQueue({ sessions: SESSIONS });
  await mkdir(join(queue.dir, "shared"));
  redis = new EmbeddedRedis(join(queue.dir, "shared"), childEnvironment(queue.environment));
  await redis.start();
}

async function tmux(socket: string, ...args: string[]): Promise<string> {
  return (await execa("tmux", ["-L", socket, ...args])).stdout;
}

/** Starts a host's daemon. */
async function startHost(name: string, redisUrl: string): Promise<HostProcess> {
  const { config, dir } = queue;
  const stateDir = join(dir, name);
  const tmuxSocket = `${config.tmuxSocket}-${name}`;
  const file = join(dir, `${name}.yaml`);
  const lines = [
    `state_dir: ${stateDir}`,
    `tmux: { socket_name: ${tmuxSocket} }`,
    `redis: { url: "${redisUrl}" }`,
    `dispatcher: { projects_dir: ${join(dir, "projects")} }`,
    `pool: { autonomous: { min: ${SESSIONS}, max: ${SESSIONS} } }`,
    `claude: { command: ${config.claude.command}, args: ${JSON.stringify(config.claude.args)} }`,
    "server: { port: 0 }",
  ];
  await writeFile(file, lines.join("\n"));
  const host = {
    stateDir,
    tmuxSocket,
    daemon: await startDaemon(file, queue.environment),
    restart: async () => {
      host.daemon = await startDaemon(file, queue.environment);
    },
  };
  hosts.push(host);
  return host;
}

/** Starts a host in this process for which others are dead after a second of silence: no configuration may say so. */
async function startHasty(name: string, redisUrl: string): Promise<TaskEvent[]> {
  const { config, environment, dir } = queue;
  const own = { stateDir: join(dir, name), tmuxSocket: `${config.tmuxSocket}-${name}`, redisUrl };
  const events: TaskEvent[] = [];
  hasty = new App({
    config: { ...config, ...own, goneAfterMs: 1_000 },
    environment: childEnvironment(environment),
    onError: () => {},
    onHold: () => {},
  });
  hasty.events.on((event) => events.push(event));
  await hasty.start();
  return events;
}

/** The machine is gone: daemon, tmux server and agents at one blow. */
async function killHost({ daemon, tmuxSocket }: HostProcess): Promise<void> {
  const panes = (await tmux(tmuxSocket, "list-panes", "-a", "-F", "#{pane_pid}")).split("\n");
  const server = await tmux(tmuxSocket, "display-message", "-p", "#{pid}");
  daemon.signal("SIGKILL");
  for (const pid of [server, ...panes]) killNow(Number(pid));
  await daemon.ended();
}

/** Agents may go with their terminal before we come to them. */
function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!isSystemError(error, "ESRCH")) throw error;
  }
}

/** Of tasks that ran: a host may take a file for new that another has just dealt with, and find that it is gone. */
function cancelledRuns(): string[] {
  const lines = hosts.flatMap(({ daemon }) => daemon.output().split("\n"));
  const idsOf = (type: string) => lines.flatMap((line) => (line.includes(`{"type":"${type}"`) ? idOf(line) : []));
  const launched = new Set(idsOf("launched"));
  return idsOf("cancelled").filter((id) => launched.has(id));
}

const idOf = (line: string) => /"id":"(\w+)"/.exec(line)?.[1] ?? [];
const starts = async () => (await queue.witness()).filter(({ event }) => event === "start");
const isOf = ({ stateDir }: HostProcess, { run }: Witness) => existsSync(join(stateDir, "runs", run ?? ""));
const doneCount = async () => (await queue.names("done")).filter((name) => !name.startsWith(".")).length;

test(`${TASKS} tasks, three hosts, one dies and one is cut off for ${CUT_MS / 1000} s: all done, and none twice but those of the dead one`, async () => {
  await prepare();
  const { socket } = redis.address;
  const gate = await openTcpGate(socket);
  gates.push(gate);
  const [, cut, dying] = [
    await startHost("stays", socket),
    await startHost("cut", `redis://127.0.0.1:${gate.port}`),
    await startHost("dies", socket),
  ];
  const names = Array.from({ length: TASKS }, (_, index) => `task-${index}.md`);
  for (const name of names) await queue.drop(name, `${name}\nagent: work 1s\n`);
  await until("they are in the middle of it", async () => (await doneCount()) >= 40, 60_000);
  await until("the one that dies is busy", async () => {
    const ended = new Set((await queue.witness()).filter(({ event }) => event === "end").map(({ run }) => run));
    return (await starts()).filter((start) => isOf(dying, start) && !ended.has(start.run)).length >= 3;
  });
  await killHost(dying);
  const killedAtMs = Date.now();
  gate.cut();
  const before = await doneCount();
  await until("what waits goes on at once", async () => (await doneCount()) > before + 2 * SESSIONS, 20_000);
  await sleep(killedAtMs + CUT_MS - Date.now());
  gate.mend();
  await until("every task is done", async () => (await doneCount()) === TASKS, 100_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);

  expect(await queue.names("done")).toEqual(names.toSorted());
  expect(await queue.names("failed")).toEqual([]);
  const isOfDead = (start: Witness) => isOf(dying, start);
  for (const { at } of onlyTheDeadOnesRanTwice(await starts(), { tasks: TASKS, sessions: SESSIONS, isOfDead })) {
    expect(at - killedAtMs).toBeGreaterThan(GONE_AFTER_MS - SLACK_MS);
    expect(at - killedAtMs).toBeLessThan(GONE_AFTER_MS + SLACK_MS);
  }
  expect((await starts()).some((start) => isOf(cut, start) && start.at > killedAtMs + CUT_MS)).toBe(true);
  expect(cancelledRuns()).toEqual([]);
}, 240_000);

test("a host that is stopped by a signal keeps its agents and their tasks, and finishes them after its next start", async () => {
  await prepare();
  const { socket } = redis.address;
  const one = await startHost("one", socket);
  const names = ["a.md", "b.md", "c.md"];
  for (const name of names) await queue.drop(name, `${name}\nagent: until go\n`);
  await until("all are at work", async () => (await starts()).length === names.length);
  // It would be dead at the first look.
  const events = await startHasty("two", socket);
  one.daemon.signal("SIGTERM");
  expect(await one.daemon.ended()).toBe(0);
  const known = new KnownHosts({ address: redis.address, onError: () => {} });
  const states = async () => (await readHosts(known, GONE_AFTER_MS)).map(({ state }) => state);
  await until("both are known", async () => (await states()).toSorted().join() === "stopped,up");
  await writeFile(join(queue.project, "go"), "");
  await until("the agents have finished", async () => (await finished(one)) === names.length);
  // The other looks every 5 s.
  await sleep(6_000);
  expect(events).toEqual([]);
  expect(await doneCount()).toBe(0);

  await one.restart();
  await queue.settled("done", names.length);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.names("done")).toEqual(names);
  expect(await starts()).toHaveLength(names.length);
  await until("both are up", async () => (await states()).join() === "up,up");
  expect(cancelledRuns()).toEqual([]);
  await known.stop();
});

/** How many agents of a host have said that they are done. */
async function finished({ stateDir }: HostProcess): Promise<number> {
  const { stdout } = await execa("grep", ["-rl", '"Stop"', join(stateDir, "runs"), "--include=*.json"], {
    reject: false,
  });
  return stdout.split("\n").filter((line) => line.includes("/events/")).length;
}
