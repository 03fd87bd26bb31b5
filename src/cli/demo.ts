import { randomUUID } from "node:crypto";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import pino from "pino";
import { App } from "../app.ts";
import { demoConfig } from "../config/demo-config.ts";
import { childEnvironment } from "../config/environment.ts";
import { describeEvent, describeHold } from "../core/describe-event.ts";
import type { TaskEvent } from "../core/events.ts";
import { taskLabel } from "../core/task.ts";
import { inboxDir } from "../ledger/layout.ts";
import { errorLog, logEvents } from "./log.ts";
import { runUntilStopped } from "./run-until-stopped.ts";

const PROJECT = fileURLToPath(new URL("../../demo", import.meta.url));
const SAMPLE = "hello.md";

/** `ccl-queue demo`: the whole queue on the bundled project, with an agent that needs no login. */
export async function demo(): Promise<void> {
  const config = demoConfig(PROJECT);
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
  app.events.on(narrate(performance.now(), config.tmuxSocket));

  say(
    "ccl-queue demo: a demo agent plays Claude Code, so no login is needed.",
    `Starting Redis in ${here(config.stateDir)} and ${config.pool.min} tmux sessions on a server of their own …`,
    "",
  );
  try {
    await runUntilStopped(app, {
      onStarted: dropSample,
      onStopping: () => say("", "Stopping: the demo's agents, its tmux server and its Redis end now."),
    });
  } finally {
    await app.tmux.killServer();
  }
}

/** Drops the sample as operators should: written elsewhere, then moved in whole. */
async function dropSample(): Promise<void> {
  const inbox = inboxDir(PROJECT);
  const draft = join(inbox, `.${randomUUID()}.draft`);
  await mkdir(inbox, { recursive: true });
  await copyFile(join(PROJECT, "tasks", SAMPLE), draft);
  await rename(draft, join(inbox, SAMPLE));
  say(`Dropped ${SAMPLE} into ${here(inbox)}/`);
}

/** Tells each step as it happens, and after the first task what to do next. */
function narrate(startedMs: number, socket: string): (event: TaskEvent) => void {
  let told = false;
  return (event) => {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1).padStart(6);
    const text = "path" in event ? describeEvent({ ...event, path: here(event.path) }) : describeEvent(event);
    say(`${seconds} s  ${taskLabel(event.task)}  ${text}`);
    if (event.type === "launched") say(`           watch it: tmux -L ${socket} attach -r -t ${event.session}`);
    if (told || (event.type !== "done" && event.type !== "failed")) return;
    told = true;
    sayNext(here(event.path), socket);
  };
}

function sayNext(path: string, socket: string): void {
  say(
    "",
    "What next:",
    `  read the result        cat ${path}`,
    `  drop a task of yours   echo 'Say hello.' > ${here(inboxDir(PROJECT))}/mine.md`,
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
