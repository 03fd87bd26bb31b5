import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { Pool, type PoolOptions } from "../../src/workers/tmux/pool.ts";
import { Tmux } from "../../src/workers/tmux/tmux.ts";
import { until } from "../helpers/until.ts";

let dir: string;
let socket: string;
let tmux: Tmux;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-pool-states-"));
  socket = `ccl-queue-test-${dir.slice(-6)}`;
  tmux = new Tmux(socket, childEnvironment({ HOME: dir }));
});
afterEach(async () => {
  await tmux.killServer();
  await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

const ATTACHED = "#{session_attached} #{session_last_attached}";

/** A pool of the sessions s-1, s-2 and s-3. */
function newPool(options: Partial<PoolOptions> = {}): Pool {
  const range = { workspace: "w", host: "h", prefix: "s-", startIndex: 1, min: 3, max: 3 };
  return new Pool({ ...range, tmux, excluded: [], directory: dir, cooldownMs: 60_000, ...options });
}

/** What the pool says, in one line: `s-1 idle, s-2 busy`. */
async function said(pool: Pool): Promise<string> {
  return (await pool.look()).map(({ name, state }) => `${name} ${state}`).join(", ");
}

async function saysSoon(pool: Pool, states: string): Promise<void> {
  await expect.poll(async () => await said(pool), { interval: 20, timeout: 15_000 }).toBe(states);
}

/** As a person would use tmux. */
async function byHand(...args: string[]): Promise<string> {
  return (await execa("tmux", ["-L", socket, ...args], { env: { HOME: dir } })).stdout;
}

/** Sessions that the pool has not made, so that only their shells tell what they are good for. */
async function newSessions(...names: string[]): Promise<void> {
  for (const name of names) await byHand("new-session", "-d", "-s", name, "-c", dir);
}

describe("a session of the range", () => {
  test("is missing until it is made, and looking makes none", async () => {
    const pool = newPool({ min: 2 });
    expect(await said(pool)).toBe("s-1 missing, s-2 missing, s-3 missing");
    expect(await said(pool)).toBe("s-1 missing, s-2 missing, s-3 missing");
    await pool.reconcile();
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 missing");
  });

  test("is idle when its shell waits at its prompt, whoever has made it", async () => {
    await newSessions("s-1", "s-2", "s-3");
    await saysSoon(newPool(), "s-1 idle, s-2 idle, s-3 idle");
  });

  test("is busy while it is reserved, until it is free or released", async () => {
    const pool = newPool();
    const [first, second] = await pool.reserve(2);
    await saysSoon(pool, "s-1 busy, s-2 busy, s-3 idle");
    if (first !== undefined) pool.free(first);
    await saysSoon(pool, "s-1 idle, s-2 busy, s-3 idle");
    if (second !== undefined) await pool.release(second, { cooldown: false });
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("is busy while a run's tag is on it, also one of an earlier daemon", async () => {
    const pool = newPool();
    const [session] = await pool.reserve(1);
    if (session !== undefined) await tmux.startRun(session.pane, "kabcdefghi-1", ["sleep", "60"]);
    const next = newPool();
    await saysSoon(next, "s-1 busy, s-2 idle, s-3 idle");
    const adopted = await next.adopt("kabcdefghi-1");
    if (adopted !== null) await next.release(adopted, { cooldown: false });
    await saysSoon(next, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("is busy also when its agent is gone and its tag is not", async () => {
    const pool = newPool();
    const [session] = await pool.reserve(1);
    if (session !== undefined) await tmux.startRun(session.pane, "kabcdefghi-1", ["true"]);
    await until("its pane is dead", async () => (await byHand("list-panes", "-a", "-F", "#{pane_dead}")).includes("1"));
    expect(await said(newPool())).toBe("s-1 busy, s-2 idle, s-3 idle");
  });

  test("cools after a failure of its own", async () => {
    const pool = newPool({ cooldownMs: 60_000 });
    const [session] = await pool.reserve(1);
    if (session !== undefined) await pool.release(session, { cooldown: true });
    await saysSoon(pool, "s-1 cooling, s-2 idle, s-3 idle");
    expect((await pool.reserve(3)).map(({ name }) => name)).toEqual(["s-2", "s-3"]);
  });

  test("cools on when the daemon is started again", async () => {
    const pool = newPool();
    const [session] = await pool.reserve(1);
    if (session !== undefined) await pool.release(session, { cooldown: true });
    const next = newPool();
    await saysSoon(next, "s-1 cooling, s-2 idle, s-3 idle");
    expect((await next.reserve(3)).map(({ name }) => name)).toEqual(["s-2", "s-3"]);
  });

  test("does not cool for as long as the clock was set back", async () => {
    const pool = newPool();
    const [session] = await pool.reserve(1);
    const nowMs = Date.now();
    vi.spyOn(Date, "now").mockReturnValueOnce(nowMs + 3_600_000);
    if (session !== undefined) await pool.release(session, { cooldown: true });
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("is idle again when it has cooled", async () => {
    const pool = newPool({ cooldownMs: 50 });
    const [session] = await pool.reserve(1);
    if (session !== undefined) await pool.release(session, { cooldown: true });
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("is missing once somebody has killed it, even while it is reserved", async () => {
    const pool = newPool();
    await pool.reserve(1);
    await byHand("kill-session", "-t", "=s-1");
    await byHand("kill-session", "-t", "=s-3");
    await saysSoon(pool, "s-1 missing, s-2 idle, s-3 missing");
    await byHand("kill-server");
    await saysSoon(pool, "s-1 missing, s-2 missing, s-3 missing");
  });
});

describe("a session is in use", () => {
  test("by a program that is not ours, and idle when that has ended", async () => {
    await newSessions("s-1", "s-2", "s-3");
    const pool = newPool();
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
    await byHand("send-keys", "-t", "=s-2:", "cat", "Enter");
    await saysSoon(pool, "s-1 idle, s-2 in use, s-3 idle");
    await byHand("send-keys", "-t", "=s-2:", "C-d");
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("by a script, although a shell runs it", async () => {
    await newSessions("s-1", "s-2", "s-3");
    const pool = newPool();
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
    await byHand("send-keys", "-t", "=s-1:", "sh -c 'sleep 60; true'", "Enter");
    await saysSoon(pool, "s-1 in use, s-2 idle, s-3 idle");
  });

  test("by whoever has split it, or has a second window in it", async () => {
    const pool = newPool();
    await pool.reconcile();
    await byHand("split-window", "-t", "=s-1:");
    await byHand("new-window", "-t", "=s-3:");
    await saysSoon(pool, "s-1 in use, s-2 idle, s-3 in use");
  });

  test("by a person who has just typed in it, and idle when the person has left", async () => {
    await newSessions("person", "s-1", "s-2", "s-3");
    const pool = newPool();
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
    await byHand("send-keys", "-t", "=person:", `TMUX= tmux -L ${socket} attach -t =s-2`, "Enter");
    await saysSoon(pool, "s-1 idle, s-2 in use, s-3 idle");
    await byHand("detach-client", "-s", "=s-2");
    await saysSoon(pool, "s-1 idle, s-2 idle, s-3 idle");
  });

  test("by a person who types there while a run is in it, not by one who just watches", async () => {
    await newSessions("person");
    const pool = newPool();
    const [first, second] = await pool.reserve(2);
    if (first === undefined || second === undefined) throw new Error("no session is free");
    for (const [{ pane }, run] of [
      [first, "kabcdefghi-1"],
      [second, "kabcdefghi-2"],
    ] as const)
      await tmux.startRun(pane, run, ["sleep", "60"]);
    await byHand("send-keys", "-t", "=person:", `TMUX= tmux -L ${socket} attach -t =s-2`, "Enter");
    const came = await until("the person is there", async () => {
      const [attached, at] = (await byHand("display-message", "-p", "-t", "=s-2:", ATTACHED)).split(" ").map(Number);
      return attached === 1 && at;
    });
    expect(await pool.isTypedIn(second)).toBe(false);
    // tmux counts in seconds.
    await until("the next second", () => Date.now() >= (came + 1) * 1_000);
    await byHand("send-keys", "-t", "=person:", "x");
    await until("the key has come", async () => await pool.isTypedIn(second));
    expect(await pool.isTypedIn(first)).toBe(false);
    await byHand("detach-client", "-s", "=s-2");
    await until("the person has left", async () => !(await pool.isTypedIn(second)));
  });

  test("by whoever keeps a dead pane", async () => {
    await newSessions("s-1", "s-2", "s-3");
    await byHand("set-option", "-w", "-t", "=s-1:", "remain-on-exit", "on");
    await byHand("respawn-pane", "-k", "-t", "=s-1:", "true");
    await saysSoon(newPool(), "s-1 in use, s-2 idle, s-3 idle");
  });
});

describe("the range", () => {
  test("is all that is told: no session of operators, no neighbour, none of a longer name", async () => {
    await newSessions("s-0", "s-1", "s-4", "s-11", "s", "work");
    await saysSoon(newPool({ excluded: ["s-2"] }), "s-1 idle, s-3 missing");
  });

  test("is told in the order of its numbers", async () => {
    const names = (await newPool({ startIndex: 8, min: 0, max: 4 }).look()).map(({ name }) => name);
    expect(names).toEqual(["s-8", "s-9", "s-10", "s-11"]);
  });
});

describe("where tmux does not answer, nothing is told", () => {
  const withPath = (path: string) => newPool({ tmux: new Tmux(socket, { PATH: path }) });

  test("as it fails", async () => {
    await writeFile(join(dir, "tmux"), "#!/bin/sh\necho 'lost server' >&2\nexit 1\n");
    await chmod(join(dir, "tmux"), 0o755);
    const states = withPath(`${dir}:/usr/bin:/bin`).look();
    await expect(states).rejects.toMatchObject({
      code: "TMUX_FAILED",
      message: expect.stringContaining("lost server"),
    });
  });

  test("as it is not installed", async () => {
    await expect(withPath(dir).look()).rejects.toMatchObject({ code: "TMUX_MISSING" });
  });
});

test("sessions that somebody else makes at the same moment are no error, and the rest is made", async () => {
  for (let round = 0; round < 15; round += 1) {
    const server = new Tmux(`${socket}-${round}`, childEnvironment({ HOME: dir }));
    onTestFinished(async () => await server.killServer());
    // It runs already, as two clients that start it at once would meet its start besides.
    await server.createSessions(["other"], dir);
    const pools = Array.from({ length: 4 }, () => newPool({ tmux: server }));
    await Promise.all(pools.map(async (pool) => await pool.reconcile()));
    await newPool({ tmux: server }).reconcile();
    const sessions = (await server.listPanes()).map(({ session }) => session).sort();
    expect(sessions).toEqual(["other", "s-1", "s-2", "s-3"]);
    await server.killServer();
  }
});
