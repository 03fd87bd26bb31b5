#!/usr/bin/env node
/**
 * What an operator waits for while 10,000 tasks wait and 20 sessions work, and what it costs the daemon to be watched.
 *
 *     npm run bench -- operate [--waiting N] [--rounds N] [--json] [--assert]
 *
 * Pages and commands are asked in turns. --assert exits with 1 when a median is over its limit.
 */
import { execFile } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { figuresOf, table } from "./figures.js";
import { openFleet } from "./fleet.js";

const SESSIONS = 20;
const LIMIT_MS = 300;
/** Of a core, while one browser watches. */
const LIMIT_CPU = 0.1;
/** With one sweep of the inboxes in it. */
const CPU_MS = 60_000;
/** Some are over, so that their lists are read too. */
const DONE = 200;
const PAGES = [
  "/",
  "/tasks",
  "/tasks?state=done",
  "/tasks?project=alpha",
  "/tasks?tag=night",
  "/queues/",
  "/openapi.json",
];
const TASKS = ["", "?project=alpha", "?tag=night", "?state=done"].map((query) => `/api/tasks${query}`);
const STATUS = ["overview", "status", "sessions", "hosts", "delegated/status"].map((name) => `/api/${name}`);
const MORE_PAGES = ["/watchdog/status", "/metrics", "/queues/api/queues?activeQueue=local&page=1"];
/** But `doctor`, which starts Claude Code, and what goes on until somebody ends it. */
const COMMANDS = [
  ...[
    ["list"],
    ["list", "--all"],
    ["list", "--project", "alpha"],
    ["list", "--tag", "night"],
    ["list", "--state", "done"],
  ],
  ...[["status"], ["status", "--all"], ["sessions"], ["show", "task-77.md"], ["logs", "task-77.md"]],
];

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "10000" },
    rounds: { type: "string", default: "7" },
    json: { type: "boolean", default: false },
    assert: { type: "boolean", default: false },
  },
});

const fleet = await openFleet({ sessions: SESSIONS, tasks: SESSIONS + Number(values.waiting), done: DONE });
try {
  const one = [`/tasks/${fleet.id}`, `/api/tasks/${fleet.id}`, `/api/tasks/${fleet.id}/log`];
  const pages = [...PAGES, ...TASKS, ...STATUS, ...MORE_PAGES, ...one];
  const tasks = await measure(pages, [...COMMANDS, ["show", fleet.id.slice(0, 5)]], Number(values.rounds));
  const alone = await cpu();
  const stop = await fleet.watch();
  const watched = await cpu();
  stop();
  report(tasks, { alone, watched });
} finally {
  await fleet.close();
}

/** @param {string[]} pages @param {string[][]} commands @param {number} rounds */
async function measure(pages, commands, rounds) {
  /** @type {Record<string, number[]>} */
  const samples = {};
  /** @param {string} name @param {() => Promise<unknown>} act */
  const time = async (name, act) => {
    const startedMs = performance.now();
    await act();
    samples[name] = [...(samples[name] ?? []), performance.now() - startedMs];
  };
  for (let round = 0; round < rounds; round += 1) {
    await time("node -e 0", async () => await promisify(execFile)(process.execPath, ["-e", "0"]));
    for (const page of pages) await time(`GET ${page}`, async () => await fleet.get(page));
    for (const command of commands) await time(command.join(" "), async () => await fleet.command(command));
  }
  return samples;
}

/** How much of a core the daemon takes. */
async function cpu() {
  const beforeMs = fleet.cpuMs();
  await sleep(CPU_MS);
  return (fleet.cpuMs() - beforeMs) / CPU_MS;
}

/** @param {Record<string, number[]>} samples @param {{ alone: number, watched: number }} shares */
function report(samples, shares) {
  const figures = Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, figuresOf(list)]));
  const late = Object.entries(figures).filter(([, { median }]) => median > LIMIT_MS);
  const missed = [
    ...late.map(([name]) => `${name}: over ${LIMIT_MS} ms`),
    ...(shares.watched > LIMIT_CPU ? [`watched: over ${LIMIT_CPU * 100} % of a core`] : []),
  ];
  const percent = (/** @type {number} */ share) => `${(share * 100).toFixed(1)} % of a core`;
  console.log(
    values.json
      ? JSON.stringify({ waiting: values.waiting, figures, shares, missed }, null, 2)
      : `${table(figures)}\n\nthe daemon alone: ${percent(shares.alone)}; watched: ${percent(shares.watched)}`,
  );
  if (values.assert && missed.length > 0) {
    console.error(missed.join("\n"));
    process.exitCode = 1;
  }
}
