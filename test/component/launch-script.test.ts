import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { processOf, signal } from "../../src/workers/process.ts";
import { RunFiles } from "../../src/workers/run/files.ts";
import { RunStore } from "../../src/workers/run/store.ts";

const RUN = "kabcdefghi-1";
const SCRIPT = "libexec/launch.sh";

let store: RunStore;
let files: RunFiles;
let project: string;

beforeEach(() => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "launch-")));
  onTestFinished(() => rmSync(root, { recursive: true }));
  project = join(root, "my project");
  store = new RunStore(root);
  files = new RunFiles(store, RUN);
  mkdirSync(project);
  mkdirSync(store.pathOf(RUN), { recursive: true });
  symlinkSync(project, store.pathOf(RUN, "project"));
  writeFileSync(store.pathOf(RUN, "prompt.md"), "Do it.\n");
});

/** Launches a shell as the agent; what it prints can be read. */
function launch(script: string, env: NodeJS.ProcessEnv = process.env) {
  const argv = [SCRIPT, store.pathOf(RUN), "sh", "-c", script];
  const child = spawn("sh", argv, { env, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("the agent has the project, the prompt and its arguments, and its exit code is kept", async () => {
  const child = launch('pwd; cat; echo oops >&2; exit "$(printf 7)"');
  const [said, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect([said, code]).toEqual([`${project}\nDo it.\n`, 7]);
  expect([(await files.exit())?.code, await files.stderr()]).toEqual([7, "oops"]);
});

test("the process that is told is the agent's own", async () => {
  const child = launch("echo $$; exec sleep 60");
  const pid = Number(await once(child.stdout, "data"));
  onTestFinished(async () => {
    signal(pid, "SIGKILL");
    await once(child, "exit");
  });
  expect(await files.process()).toEqual(processOf(pid));
  expect((await files.process())?.pid).toBe(pid);
});

test("no other program has to start before the agent", async () => {
  const bin = store.pathOf(RUN, "bin");
  mkdirSync(bin);
  symlinkSync("/bin/sh", join(bin, "sh"));
  const child = launch("echo $$; kill -KILL $PPID", { PATH: bin });
  const [said, [, killedBy]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  expect(killedBy).toBe("SIGKILL");
  expect(await files.process()).toEqual({ pid: Number(said), startTime: expect.stringMatching(/^\d+$/) });
});

test("the agent's environment is the session's, and what ours is about", async () => {
  const keys = { SECUTOOLS_API_KEY: "secret", CCL_QUEUE_TOKEN: "secret", CCL_QUEUE_WEBHOOK_SECRET: "secret" };
  const env = { PATH: process.env["PATH"], HOME: project, stat: "mine", CLAUDECODE: "1", ...keys };
  const lines = (await text(launch("env", env).stdout)).trim().split("\n");
  const never = ["CLAUDE_CODE_RESUME_THRESHOLD_MINUTES=999999999", "CLAUDE_CODE_RESUME_TOKEN_THRESHOLD=999999999"];
  const ours = [`CCL_QUEUE_RUN=${store.pathOf(RUN)}`, "CLAUDE_CODE_SANDBOXED=1", ...never];
  const kept = [`PATH=${env.PATH}`, `HOME=${project}`, "stat=mine"];
  // Shells add some of their own.
  expect(lines.filter((line) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(line)).sort()).toEqual([...ours, ...kept].sort());
});

describe("the line that tells the process", () => {
  test.each([
    ["is not there yet", "", null],
    ["has begun", "4711", null],
    ["is not ended", "4711 123", null],
    ["is whole", "4711 1234\n", { pid: 4711, startTime: "1234" }],
    ["knows no start time", "4711 \n", { pid: 4711, startTime: null }],
  ])("%s: %j", async (_what, line, expected) => {
    writeFileSync(store.pathOf(RUN, "pid"), line);
    expect(await files.process()).toEqual(expected);
  });
});
