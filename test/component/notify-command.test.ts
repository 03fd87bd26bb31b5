import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { Command } from "../../src/notify/command.ts";
import { newsOf, notification } from "../../src/notify/notification.ts";
import { isAlive, type ProcessId, processOf } from "../../src/workers/process.ts";
import { until } from "../helpers/until.ts";

const NEVER = new AbortController().signal;
const HOSTILE = `$(touch pwned) \`touch pwned\`; touch pwned\n"'\\ && touch pwned | --help.md`;

const told = notification.parse({
  ...newsOf({ type: "rejected", task: { project: "/p/site", name: HOSTILE }, id: "", reason: "no text", path: "/x" }),
  ...{ delivery: "d1-command", at: "2026-03-04T05:06:07.000Z", workspace: "default", host: "here-1" },
});

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "notify-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
});

const read = (name: string) => readFileSync(join(dir, name), "utf8");

function commandOf(argv: readonly string[], timeoutMs = 5_000): Command {
  return new Command({ argv, cwd: dir, environment: childEnvironment({ MINE: "yes" }), timeoutMs });
}

/** The process whose id a file of a test holds. */
async function processIn(name: string): Promise<ProcessId> {
  const pid = await until(
    `${name} is written`,
    () => existsSync(join(dir, name)) && /^\d+(?=\n)/.exec(read(name))?.[0],
  );
  return processOf(Number(pid)) ?? { pid: Number(pid), startTime: "gone" };
}

test("the notification is on its stdin, whatever a task is called, and nowhere else", async () => {
  const script = 'cat > in.json; printf "%s\\n" "$0" "$@" > args; pwd > cwd; env > env';
  const command = commandOf(["sh", "-c", script, "first", "$(touch pwned)", "a b"]);
  expect(await command.deliver(told, NEVER)).toEqual({ kind: "delivered" });
  expect(JSON.parse(read("in.json"))).toEqual(told);
  expect(told.task?.task).toBe(`site/${HOSTILE}`);
  expect(read("args")).toBe("first\n$(touch pwned)\na b\n");
  expect(read("cwd")).toBe(`${dir}\n`);
  expect(read("env")).toMatch(/^MINE=yes$/m);
  expect(read("env")).not.toContain("pwned");
  expect(existsSync(join(dir, "pwned"))).toBe(false);
});

test("no shell reads the arguments", async () => {
  expect(await commandOf(["true", "; touch pwned", "$(touch pwned)"]).deliver(told, NEVER)).toEqual({
    kind: "delivered",
  });
  expect(existsSync(join(dir, "pwned"))).toBe(false);
});

test("it inherits none of the queue's keys", async () => {
  vi.stubEnv("CCL_QUEUE_WEBHOOK_SECRET", "s3cret");
  expect(await commandOf(["sh", "-c", "env > env"]).deliver(told, NEVER)).toEqual({ kind: "delivered" });
  expect(read("env")).toContain("PATH=");
  expect(read("env")).not.toContain("s3cret");
});

describe("what is tried again", () => {
  test.each([
    ["exit 1", "it exited with 1"],
    ["echo one >&2; printf 'two\\033[2J\\n' >&2; exit 7", "it exited with 7: two [2J"],
    ["kill -TERM $$", "it was ended by SIGTERM"],
    [
      "i=0; while [ $i -lt 2000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123; i=$((i+1)); done >&2; exit 3",
      "it exited with 3: 0123456789012345678901234567890123456789012345678901234567890123",
    ],
  ])("%s", async (script, why) => {
    expect(await commandOf(["sh", "-c", script]).deliver(told, NEVER)).toEqual({ kind: "again", why });
  });

  test("a complaint without end is cut", async () => {
    const delivery = await commandOf(["sh", "-c", "printf '%0500d' 0 >&2; exit 1"]).deliver(told, NEVER);
    expect(delivery).toEqual({ kind: "again", why: `it exited with 1: ${"0".repeat(200)}` });
  });
});

test.each([
  ["is not there", "/nowhere/at/all", "ENOENT"],
  ["is not to be found", "ccl-queue-no-such-program", "ENOENT"],
  ["may not be run", "/etc/passwd", "EACCES"],
])("a program that %s is not tried again, and its arguments are not told", async (_what, program, code) => {
  const delivery = await commandOf([program, "s3cret"]).deliver(told, NEVER);
  expect(delivery).toEqual({ kind: "refused", why: `it cannot be started (${code})` });
});

test("one that reads nothing is as good", async () => {
  expect(await commandOf(["true"]).deliver(told, NEVER)).toEqual({ kind: "delivered" });
});

test("one that hangs is killed with what it has started", async () => {
  const command = commandOf(
    ["sh", "-c", "trap '' TERM INT; echo $$ > one; (echo $(sh -c 'echo $PPID') > two; sleep 60; true); true"],
    1_000,
  );
  const delivery = command.deliver(told, NEVER);
  const [one, two] = [await processIn("one"), await processIn("two")];
  expect([isAlive(one), isAlive(two), one.pid === two.pid]).toEqual([true, true, false]);
  expect(await delivery).toEqual({ kind: "again", why: "not over within 1.0 s" });
  await until("both are gone", () => !isAlive(one) && !isAlive(two));
});

test("one that is under way when the daemon stops is killed", async () => {
  const stop = new AbortController();
  const delivery = commandOf(["sh", "-c", "echo $$ > one; sleep 60"]).deliver(told, stop.signal);
  const one = await processIn("one");
  stop.abort(new Error("stopped"));
  expect(await delivery).toEqual({ kind: "again", why: "stopped" });
  await until("it is gone", () => !isAlive(one));
});

test("one that the daemon's stop has come before is not started", async () => {
  const delivery = await commandOf(["touch", "ran"]).deliver(told, AbortSignal.abort(new Error("stopped")));
  expect(delivery).toEqual({ kind: "again", why: "stopped" });
  expect(existsSync(join(dir, "ran"))).toBe(false);
});

test("what it leaves in the background is not waited for and goes on", async () => {
  const delivery = await commandOf(["sh", "-c", "sh -c 'echo $$ > left; exec sleep 60' & exit 0"], 4_000).deliver(
    told,
    NEVER,
  );
  const left = await processIn("left");
  onTestFinished(() => void process.kill(left.pid, "SIGKILL"));
  expect(delivery).toEqual({ kind: "delivered" });
  expect(isAlive(left)).toBe(true);
});
