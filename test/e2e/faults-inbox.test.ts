import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type Daemon, startDaemon } from "../helpers/daemon.ts";
import { underFileModes, underWatchLimit } from "../helpers/limits.ts";
import { logged } from "../helpers/logged.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => {
  daemon.signal("SIGTERM");
  await daemon.ended();
  await queue.stop();
});

async function start(under: readonly string[]): Promise<void> {
  // Nothing is left to the sweep.
  queue = await prepareQueue({ sessions: 1, sweep: "1h" });
  daemon = await startDaemon(queue.configFile, queue.environment, under);
}

const inbox = (project = queue.project) => join(project, ".agent-queue", "inbox");
const errors = () => logged(daemon).filter(({ level }) => level >= 50);
/** How often a step of a task was told. */
const steps = (type: string, name: string) =>
  logged(daemon).filter(({ event, task }) => event?.type === type && task?.endsWith(`/${name}`)).length;

/** How many directories the system watches for a process. */
async function watchesOf(pid: number): Promise<number> {
  const files = await readdir(`/proc/${pid}/fdinfo`);
  const infos = await Promise.all(files.map((fd) => readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8").catch(() => "")));
  return infos.join("\n").match(/^inotify wd:/gm)?.length ?? 0;
}

// Where nobody may make a namespace, there is no limit to set that would be this test's alone.
describe.each([0, 3].filter((watches) => underWatchLimit(watches) !== null))(
  "where the system watches %i directories and no more",
  (watches) => {
    test("tasks are found and run all the same, old and new projects alike, and it is said once", async () => {
      await start(underWatchLimit(watches) ?? []);
      await queue.drop("first.md", "first\n");
      await until("it is done", async () => (await queue.names("done")).includes("first.md"));
      const other = join(queue.dir, "projects", "beta");
      await mkdir(inbox(other), { recursive: true });
      await queue.drop("second.md", "second\n", other);
      await until("it is done", async () => (await queue.names("done", other)).includes("second.md"));
      await queue.drop("busy.md", "agent: work 3s\n");
      await until("it runs", () => steps("submitted", "busy.md") === 1);
      await queue.drop("waiting.md", "never\n");
      await until("it is seen", () => steps("seen", "waiting.md") === 1);
      await rm(join(inbox(), "waiting.md"));
      await until("it is gone", () => steps("cancelled", "waiting.md") === 1);
      await until("it is done", async () => (await queue.names("done")).includes("busy.md"));
      expect(errors()).toEqual([
        expect.objectContaining({
          code: "WATCH_LIMITED",
          hint: expect.stringContaining("fs.inotify.max_user_watches"),
        }),
      ]);
    });

    test("it watches as soon as it may", async () => {
      await start(underWatchLimit(watches) ?? []);
      const before = await watchesOf(daemon.pid);
      expect(before).toBeLessThanOrEqual(watches);
      const other = join(queue.dir, "projects", "beta");
      await mkdir(inbox(other), { recursive: true });
      const raise = "echo 1000 > /proc/sys/user/max_inotify_watches";
      execFileSync("nsenter", ["-t", String(daemon.pid), "-U", "--preserve-credentials", "sh", "-c", raise]);
      await until("it watches", async () => (await watchesOf(daemon.pid)) > before);
      await queue.drop("task.md", "a task\n");
      await until("it is done", async () => (await queue.names("done")).includes("task.md"));
    });
  },
);

/** Does in one step, as the daemon sees it, what takes several: an inbox that is gone between two takes its tasks along. */
async function unseen<T>(work: () => Promise<T>): Promise<T> {
  daemon.signal("SIGSTOP");
  try {
    return await work();
  } finally {
    daemon.signal("SIGCONT");
  }
}

describe("an inbox that cannot be read", () => {
  test.each<[string, () => Promise<() => Promise<void>>]>([
    [
      "for its mode",
      async () => {
        await chmod(inbox(), 0o000);
        return async () => await chmod(inbox(), 0o700);
      },
    ],
    [
      "as it is a link to itself",
      async () => {
        await rename(inbox(), `${inbox()}-aside`);
        await symlink("inbox", inbox());
        return async () => {
          await rm(inbox());
          await rename(`${inbox()}-aside`, inbox());
        };
      },
    ],
  ])("%s is told once, and its tasks are run when it can be read again", async (_why, harm) => {
    await start(underFileModes());
    const seen = async (what: "start" | "end") => (await queue.witness()).filter(({ event }) => event === what);
    await queue.drop("busy.md", "agent: until go\n");
    await until("it runs", () => steps("submitted", "busy.md") === 1);
    await queue.drop("waiting.md", "it waits\n");
    await until("it waits", () => steps("routed", "waiting.md") === 1);
    const mend = await unseen(harm);
    await writeFile(join(queue.project, ".agent-queue", "draft"), "it comes meanwhile\n");
    const [told] = await until("it is told", () => errors().length > 0 && errors());
    expect(told).toMatchObject({
      code: "INBOX_UNREADABLE",
      msg: expect.stringContaining(inbox()),
      hint: expect.stringMatching(/\w/),
    });
    const other = join(queue.dir, "projects", "beta");
    await mkdir(inbox(other), { recursive: true });
    await queue.drop("elsewhere.md", "elsewhere\n", other);
    await until("others go on", () => steps("seen", "elsewhere.md") === 1);
    await writeFile(join(queue.project, "go"), "");
    await until("the agent has ended", async () => (await seen("end")).length === 1);
    await unseen(mend);
    await rename(join(queue.project, ".agent-queue", "draft"), join(inbox(), "meanwhile.md"));
    await queue.settled("done", 3);
    await until("the other one has run, too", async () => (await seen("start")).length >= 4);
    expect(await seen("start")).toHaveLength(4);
    expect(steps("cancelled", "waiting.md")).toBe(0);
    expect(errors()).toHaveLength(1);
  });
});
