import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { holdsTerminal, isAlive, type ProcessId, processOf, signal } from "../../src/workers/process.ts";

/** Fields of /proc/PID/stat behind the name: the state is the first, the start time the twentieth. */
function statOf(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** No process has this id, so there is nothing of it in /proc. */
const NOBODY = 2 ** 22 + 1;

const identify = (pid: number): ProcessId => ({ pid, startTime: statOf(pid)[19] ?? "" });

/** A shell that runs a script; what it prints comes line by line. */
async function shell(script: string) {
  const child = spawn("sh", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return { child, id: identify(child.pid ?? 0), said: String(line).trim(), exited: once(child, "exit") };
}

const lasting = () => shell("echo ready; read line");

/** A process that has ended, and whose parent does not care. */
async function zombie(): Promise<ProcessId> {
  // The child ends only once its parent, a shell that would reap it, has become a program that does not.
  const child = "while [ $(cat /proc/$PPID/comm) = sh ]; do :; done";
  const { said } = await shell(`sh -c '${child}' & echo $!; exec sleep 60`);
  const pid = Number(said);
  await vi.waitUntil(() => statOf(pid)[0] === "Z", { interval: 1 });
  return identify(pid);
}

describe("a process is alive", () => {
  test("while it runs, and no longer", async () => {
    const { child, id, exited } = await lasting();
    expect(isAlive(id)).toBe(true);
    child.kill("SIGKILL");
    await exited;
    expect(isAlive(id)).toBe(false);
  });

  test("when it is this one", async () => {
    expect(isAlive(identify(process.pid))).toBe(true);
  });

  test("not when it has ended and only its parent has not looked yet", async () => {
    expect(isAlive(await zombie())).toBe(false);
  });

  test.each(["1", "", "0"])(
    "not when its pid is another's by now, which started at another time: %j",
    async (startTime) => {
      const { id } = await lasting();
      expect(isAlive({ ...id, startTime })).toBe(false);
    },
  );

  test("whatever it calls itself: spaces and parentheses in a name move no field", async () => {
    const { child, id } = await shell(
      "echo ready; read go; printf 'a) Z 1 (b' > /proc/$$/comm; echo renamed; read line",
    );
    child.stdin.write("go\n");
    await once(child.stdout, "data");
    expect(readFileSync(`/proc/${id.pid}/comm`, "utf8")).toBe("a) Z 1 (b\n");
    expect(isAlive(id)).toBe(true);
  });
});

describe("the process that has a pid", () => {
  test("is known by its start time, too", async () => {
    const { id } = await lasting();
    expect(id.startTime).toMatch(/^\d+$/);
    expect(processOf(id.pid)).toEqual(id);
  });

  test("is none once it is gone", async () => {
    const { child, id, exited } = await lasting();
    child.kill("SIGKILL");
    await exited;
    expect(processOf(id.pid)).toBeNull();
  });
});

describe("where there is no start time to tell by, the process id alone does", () => {
  test("a process is alive while it runs, and no longer", async () => {
    const { child, id, exited } = await lasting();
    expect(isAlive({ pid: id.pid, startTime: null })).toBe(true);
    child.kill("SIGKILL");
    await exited;
    expect(isAlive({ pid: id.pid, startTime: null })).toBe(false);
  });

  test("a process that only waits to be reaped is not", async () => {
    const { pid } = await zombie();
    expect(isAlive({ pid, startTime: null })).toBe(false);
  });
});

describe("where there is no /proc, the system is asked for the process id", () => {
  test.each([
    ["linux", false],
    ["darwin", true],
  ])("which says nothing on %s", async (platform, alive) => {
    vi.spyOn(process, "platform", "get").mockReturnValue(platform === "linux" ? "linux" : "darwin");
    vi.spyOn(process, "kill").mockReturnValue(true);
    expect(isAlive({ pid: NOBODY, startTime: null })).toBe(alive);
  });

  test("a process of somebody else is alive, one that is gone is not", async () => {
    vi.spyOn(process, "platform", "get").mockReturnValue("darwin");
    const kill = vi.spyOn(process, "kill");
    kill.mockImplementation(() => {
      throw Object.assign(new Error("not yours"), { code: "EPERM" });
    });
    expect(isAlive({ pid: NOBODY, startTime: null })).toBe(true);
    kill.mockImplementation(() => {
      throw Object.assign(new Error("gone"), { code: "ESRCH" });
    });
    expect(isAlive({ pid: NOBODY, startTime: null })).toBe(false);
  });
});

describe("a signal", () => {
  test("reaches the process", async () => {
    const { id, exited } = await lasting();
    signal(id.pid, "SIGUSR1");
    expect(await exited).toEqual([null, "SIGUSR1"]);
  });

  test("to a process that is gone is no error", async () => {
    const { child, id, exited } = await lasting();
    child.kill("SIGKILL");
    await exited;
    expect(() => signal(id.pid, "SIGTERM")).not.toThrow();
  });
});

describe("a terminal is held", () => {
  test("by no process that has none", async () => {
    const child = spawn("sh", ["-c", "echo ready; read line"], { stdio: ["pipe", "pipe", "inherit"], detached: true });
    onTestFinished(() => void child.kill("SIGKILL"));
    await once(child.stdout, "data");
    expect(holdsTerminal(child.pid ?? 0)).toBe(false);
  });

  test.each([
    ["linux", false],
    ["darwin", true],
  ])("by a process that cannot be looked at, on %s: %s", async (platform, expected) => {
    const { child, id, exited } = await lasting();
    child.kill("SIGKILL");
    await exited;
    const own = Object.getOwnPropertyDescriptor(process, "platform") ?? {};
    Object.defineProperty(process, "platform", { ...own, value: platform });
    onTestFinished(() => void Object.defineProperty(process, "platform", own));
    expect(holdsTerminal(id.pid)).toBe(expected);
  });
});
