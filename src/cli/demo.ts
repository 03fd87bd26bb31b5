import { randomUUID } from "node:crypto";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import pino from "pino";
import { App } from "../app.ts";
import type { Config } from "../config/config.ts";
import { demoConfig } from "../config/demo-config.ts";
import { childEnvironment } from "../config/environment.ts";
import { describeEvent, describeHold } from "../core/describe-event.ts";
import type { TaskEvent } from "../core/events.ts";
import { packageFile } from "../core/package-file.ts";
import { taskLabel } from "../core/task.ts";
import { inboxDir } from "../ledger/layout.ts";
import { DemoSecutools } from "./demo-secutools.ts";
import { errorLog, logEvents } from "./log.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

const PROJECT = fileURLToPath(packageFile("demo"));
/** One for the local pool, one that may leave the machine. */
const SAMPLES = ["hello.md", "notes.md"];

/** `ccl-queue demo`: the whole queue on the bundled project, with an agent and a platform that need no login. */
export async function demo(): Promise<void> {
  const platform = new DemoSecutools(join(PROJECT, "secutools.js"));
  await platform.start();
  try {
    await demoWith(demoConfig(PROJECT, platform.address));
  } finally {
    await platform.stop();
  }
}

async function demoWith(config: Config): Promise<void> {
  const logFile = join(config.stateDir, "ccl-queue.log");
  await mkdir(config.stateDir, { recursive: true });
  const log = pino({ base: null }, pino.destination({ dest: logFile, sync: true }));
  const app = new App({
    config,
    onError: errorLog(log),
    // The demo agent keeps its transcripts here, and not among a user's own.
    environment: childEnvironment({ CLAUDE_CONFIG_DIR: join(config.stateDir, "claude") }),
    onHold: (hold) => log.warn({ hold }, describeHold(hold)),
  });
  logEvents(log, app.events);
  app.events.on(narrate(performance.now(), app, config.tmuxSocket));

  say(
    "ccl-queue demo: a demo agent plays Claude Code and a stand-in plays secutools, so no login is needed.",
    `Starting Redis in ${here(config.stateDir)} and ${config.pool.min} tmux sessions on a server of their own …`,
    "",
  );
  try {
    await runUntilStopped(app, {
      onStarted: async () => {
        for (const sample of SAMPLES) await drop(sample);
      },
      onStopping: () => say("", "Stopping: the demo's agents, its tmux server and its Redis end now."),
    });
  } finally {
    await app.tmux.killServer();
  }
}

/** Drops a sample as operators should: written elsewhere, then moved in whole. */
async function drop(sample: string): Promise<void> {
  const inbox = inboxDir(PROJECT);
  const draft = join(inbox, `.${randomUUID()}.draft`);
  await mkdir(inbox, { recursive: true });
  await copyFile(join(PROJECT, "tasks", sample), draft);
  await rename(draft, join(inbox, sample));
  say(`Dropped ${sample} into ${here(inbox)}/`);
}

/** Tells each step as it happens, and after the last sample what to do next. */
function narrate(startedMs: number, app: App, socket: string): (event: TaskEvent) => void {
  let left = SAMPLES.length;
  return (event) => {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6);
    const text = "path" in event ? describeEvent({ ...event, path: here(event.path) }) : describeEvent(event);
    say(`${seconds} s  ${taskLabel(event.task)}  ${text}`);
    if (event.type === "launched") say(`           watch it: tmux -L ${socket} attach -r -t ${event.session}`);
    if (event.type !== "done" && event.type !== "failed") return;
    left -= 1;
    if (left === 0) sayNext(here(event.path), app.url ?? "", socket);
  };
}

function sayNext(path: string, url: string, socket: string): void {
  say(
    "",
    "What next:",
    `  read the result        cat ${path}`,
    `  drop a task of yours   echo 'Say hello.' > ${here(inboxDir(PROJECT))}/mine.md`,
    `  open the dashboard     ${url}/`,
    `  look at the sessions   tmux -L ${socket} attach`,
    "  use it for real        npx ccl-queue init, then npm start",
    "",
    "The queue keeps running. Ctrl-C ends it and everything it started.",
  );
}

function here(path: string): string {
  return relative(process.cwd(), path) || ".";
}

function say(...lines: string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
