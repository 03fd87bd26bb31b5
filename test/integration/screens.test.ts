import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { childEnvironment } from "../../src/config/environment.ts";
import { overview } from "../../src/control/overview.ts";
import { screenView, sessionView } from "../../src/control/session-view.ts";
import { type Pane, Tmux } from "../../src/workers/tmux/tmux.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const RED = "\u001b[31mred";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe("tmux tells what stands on a screen", () => {
  let tmux: Tmux;
  let environment: Record<string, string>;
  beforeEach(async () => {
    const dir = await mkdtemp(join(tmpdir(), "ccl-queue-screens-"));
    environment = childEnvironment({ HOME: dir });
    tmux = new Tmux(`ccl-queue-test-${dir.slice(-6)}`, environment);
    cleanups.push(
      async () => await rm(dir, { recursive: true, force: true }),
      async () => await tmux.killServer(),
    );
  });

  /** A session that shows what this shell program prints, and goes on. */
  async function show(session: string, program: string, size = ["-x", "100", "-y", "30"]): Promise<Pane> {
    const started = ["new-session", "-d", "-s", session, ...size, "sh", "-c", `${program}; printf END; exec cat`];
    await execa("tmux", ["-L", tmux.socket, "-f", "/dev/null", ...started], { env: environment });
    return await until(`${session} shows it`, async () => {
      const pane = (await tmux.listPanes()).find((each) => each.session === session);
      return pane !== undefined && (await tmux.screen(pane)).includes("END") && pane;
    });
  }

  test("with its colours and its size", async () => {
    const pane = await show("a", "printf '\\033[31mred\\033[0m \\033[1;44mblue\\033[0m\\nplain\\n'");
    const { columns, rows, text } = await tmux.colouredScreen(pane);
    expect({ columns, rows }).toEqual({ columns: 100, rows: 30 });
    const [first, ...others] = text.split("\n");
    expect(first).toContain(RED);
    expect(first).toContain("\u001b[44mblue");
    expect(others).toEqual([expect.stringContaining("plain"), "END"]);
    expect(await tmux.colouredScreens([pane])).toEqual([text]);
  });

  test("blank lines and blanks within it, and none at its end", async () => {
    const pane = await show("a", "printf '\\n\\n  a\\n\\n\\n\\nb   \\n'");
    expect((await tmux.colouredScreen(pane)).text).toBe("\n\n  a\n\n\n\nb\nEND");
  });

  test("of several panes in one call, in the order of the question", async () => {
    const panes = [];
    for (const name of ["a", "b", "c"]) panes.push(await show(name, `printf '\\033[31m${name}\\033[0m\\n'`));
    const texts = await tmux.colouredScreens(panes.toReversed());
    expect(texts.map((text) => text?.split("\n")[0]?.replace("\u001b[39m", ""))).toEqual([
      "\u001b[31mc",
      "\u001b[31mb",
      "\u001b[31ma",
    ]);
  });

  test.each([0, 1, 2])("of those that are there when number %d is gone", async (gone) => {
    const panes: Pane[] = [];
    for (const name of ["a", "b", "c"]) panes.push(await show(name, `printf 'this is ${name}\\n'`));
    await execa("tmux", ["-L", tmux.socket, "kill-pane", "-t", panes[gone]?.id ?? ""], { env: environment });
    const texts = await tmux.colouredScreens(panes);
    expect(texts).toHaveLength(3);
    for (const [index, text] of texts.entries())
      expect(text).toBe(index === gone ? null : `this is ${panes[index]?.session}\nEND`);
  });

  test("of none, when all are gone, or the server is", async () => {
    const panes = [await show("a", "true"), await show("b", "true")];
    await execa("tmux", ["-L", tmux.socket, "new-session", "-d", "-s", "keeper"], { env: environment });
    for (const { id } of panes) await execa("tmux", ["-L", tmux.socket, "kill-pane", "-t", id], { env: environment });
    expect(await tmux.colouredScreens(panes)).toEqual([null, null]);
    await tmux.killServer();
    expect(await tmux.colouredScreens(panes)).toEqual([null, null]);
    expect(await tmux.colouredScreens([])).toEqual([]);
  });

  test("as the program wrote it, whatever that looks like to tmux", async () => {
    const text = "#{pane_id} #(id) ; %1 $(id) `id`";
    const pane = await show("a", `printf '%s\\n' '${text}'`);
    expect((await tmux.colouredScreen(pane)).text).toBe(`${text}\nEND`);
    expect(await tmux.colouredScreens([pane])).toEqual([`${text}\nEND`]);
  });

  test("as large as it is", async () => {
    const pane = await show("a", "seq 1 40", ["-x", "20", "-y", "50"]);
    const { columns, rows, text } = await tmux.colouredScreen(pane);
    expect({ columns, rows }).toEqual({ columns: 20, rows: 50 });
    expect(text.split("\n")).toHaveLength(41);
  });
});

describe("operators see", () => {
  let queue: QueueFixture;
  async function start(options: Parameters<typeof startQueue>[0] = {}): Promise<void> {
    queue = await startQueue(options);
    cleanups.push(queue.stop);
  }
  const screen = async (name: string) =>
    await askDaemon(
      queue.config.stateDir,
      "GET",
      `/api/sessions/${encodeURIComponent(name)}/screen`,
      screenView.strict(),
    );
  const sessions = async () => {
    const answer = z.strictObject({ sessions: z.array(sessionView.strict()) });
    return (await askDaemon(queue.config.stateDir, "GET", "/api/sessions", answer)).sessions;
  };

  test("what an agent shows, in full and at a glance, and how to get there", async () => {
    await start();
    await queue.drop("task.md", "agent: hang\n");
    await until("it hangs", async () => (await screen("ccl-auto-11")).text.includes("hanging"));
    const shown = await screen("ccl-auto-11");
    expect(shown).toMatchObject({ session: "ccl-auto-11", columns: 200, rows: 50 });
    expect(Math.abs(Date.now() - Date.parse(shown.at))).toBeLessThan(60_000);
    const [first, second] = await sessions();
    expect(first).toMatchObject({ name: "ccl-auto-11", state: "busy", run: { task: "alpha/task.md", attempt: 1 } });
    expect(second).toMatchObject({ name: "ccl-auto-12", state: "idle", run: null });
    expect(first?.attach).toBe(`tmux -L ${queue.config.tmuxSocket} attach -t =ccl-auto-11`);
    const seen = await askDaemon(queue.config.stateDir, "GET", "/api/overview", overview);
    expect(seen.sessions[0]?.screen).toContain("hanging");
    expect(seen.sessions[0]?.screen.split("\n").length).toBeLessThanOrEqual(12);
    expect(seen.sessions[1]?.screen).toBe("");
  });

  test("an idle session's screen, too, when they ask for it", async () => {
    await start();
    await queue.tmux("send-keys", "-t", "=ccl-auto-12:", "printf '\\033[31mred\\n'", "Enter");
    await until("it is red", async () => (await screen("ccl-auto-12")).text.includes(RED));
    expect((await screen("ccl-auto-12")).text).toContain(RED);
  });

  test("no session but those of the pool: a name is looked up, and tmux never hears it", async () => {
    await start();
    await queue.tmux("new-session", "-d", "-s", "private", "sh", "-c", "printf secret; exec cat");
    const hostile = [
      ...["private", "=private", "=ccl-auto-11", "ccl-auto-11:", "ccl-auto-11:0.0", "ccl-auto-1", "ccl-auto-1*"],
      ...["ccl-auto-*", "%0", "@0", "$0", "{last}", "!", "+", "-", "ccl-auto-11;kill-server", "; kill-server"],
      ...["#(touch x)", "#{pane_id}", "-t", "../ccl-auto-11", "CCL-AUTO-11", " ccl-auto-11", "ccl-auto-11\n", "\0"],
      ...["ccl-auto-99", "__proto__", "x".repeat(5_000)],
    ];
    for (const name of hostile) await expect(screen(name), name).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
    // These are no names in a path.
    for (const name of ["", ".", ".."]) await expect(screen(name), name).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await screen("ccl-auto-11")).session).toBe("ccl-auto-11");
    expect(await queue.tmux("list-sessions", "-F", "#{session_name}")).toContain("private");
  });

  test("no screen of a session that is missing, or that a person has split", async () => {
    await start();
    await queue.tmux("kill-session", "-t", "=ccl-auto-11");
    await queue.tmux("split-window", "-d", "-t", "=ccl-auto-12:");
    for (const name of ["ccl-auto-11", "ccl-auto-12"])
      await expect(screen(name)).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
    expect((await sessions()).map(({ state }) => state)).toEqual(["missing", "in use"]);
  });
});
