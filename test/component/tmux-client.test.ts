import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { signal } from "../../src/workers/process.ts";
import { type Pane, Tmux } from "../../src/workers/tmux/tmux.ts";

const PANE = "%3|4711|0|1|1|0|1795000000|||ccl-auto-11|sh";
const pane: Pane = {
  session: "ccl-auto-11",
  id: "%3",
  pid: 4711,
  dead: false,
  alone: true,
  run: null,
  command: "sh",
  typedAtMs: null,
  coolsUntilMs: 0,
};

let dir: string;
let tmux: Tmux;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tmux-client-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  tmux = new Tmux("a socket", { PATH: dir, ONLY: "this" });
});

/** A tmux that does what this script says. */
function program(script: string): void {
  writeFileSync(join(dir, "tmux"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** A tmux that keeps its arguments. Returns those of the last call. */
function keeper(): () => string[] {
  program(`printf '%s\\0' "$@" > '${dir}/asked'`);
  return () => readFileSync(join(dir, "asked"), "utf8").split("\0").slice(0, -1);
}

test("panes come as tmux tells them", async () => {
  program(`echo '${PANE}'\necho '%4|4712|1|1|2|1|1795000000|k-1|1795000300000|a|b|c'`);
  const times = { typedAtMs: 1_795_000_000_000, coolsUntilMs: 1_795_000_300_000 };
  const other = { dead: true, alone: false, run: "k-1", session: "a", command: "b|c", ...times };
  expect(await tmux.listPanes()).toEqual([pane, { ...other, id: "%4", pid: 4712 }]);
});

test("every argument reaches tmux as it is, but for a last semicolon, which would end the command", async () => {
  const asked = keeper();
  await tmux.startRun(pane, "k-1", ["sh", "$(reboot) `x` #{y} 'z'", "", "東京\n", "a;"]);
  const argv = asked();
  expect(argv.slice(0, 3)).toEqual(["-L", "a socket", "set-option"]);
  expect(argv.slice(-6)).toEqual(["%3", "sh", "$(reboot) `x` #{y} 'z'", "", "東京\n", "a\\;"]);
});

test("tmux runs in the environment that it is given, and in no other", async () => {
  program(`echo "$ONLY $HOME" > '${dir}/environment'`);
  await tmux.listPanes();
  expect(readFileSync(join(dir, "environment"), "utf8")).toBe("this \n");
});

describe("a command that fails", () => {
  test("tells in tmux's own words why", async () => {
    program("echo 'server version is too old for client' >&2\nexit 1");
    await expect(tmux.listPanes()).rejects.toMatchObject({
      code: "TMUX_FAILED",
      message: "tmux list-panes: server version is too old for client",
    });
  });

  test("without a word is told all the same", async () => {
    program("exit 1");
    await expect(tmux.listPanes()).rejects.toMatchObject({
      code: "TMUX_FAILED",
      message: expect.stringMatching(/^tmux list-panes: Command failed: tmux -L a socket list-panes .*\S$/),
    });
  });

  test("because it does not end is killed, whatever it makes of that", async () => {
    const pid = () => Number(readFileSync(join(dir, "pid"), "utf8"));
    program(`trap '' TERM\necho $$ > '${dir}/pid'\nwhile :; do :; done`);
    onTestFinished(() => signal(pid(), "SIGKILL"));
    tmux = new Tmux("a socket", { PATH: dir }, 1_000);
    await expect(tmux.listPanes()).rejects.toMatchObject({
      code: "TMUX_FAILED",
      message: "tmux list-panes: no answer in time",
    });
    expect(() => process.kill(pid(), 0)).toThrow("ESRCH");
  });

  test("because there is no tmux says what to do", async () => {
    await expect(tmux.listPanes()).rejects.toMatchObject({ code: "TMUX_MISSING", hint: "install tmux" });
  });

  test.each(["no server running on /tmp/tmux-0/a", "error connecting to /tmp/tmux-0/a (No such file or directory)"])(
    "with %j knows that there is nothing",
    async (words) => {
      program(`echo '${words}' >&2\nexit 1`);
      expect(await tmux.listPanes()).toEqual([]);
      await expect(tmux.giveBack(pane, 0)).resolves.toBeUndefined();
    },
  );
});
