import { readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { commanded, type TaskStep, taskDetail, taskLog } from "../../src/control/task-view.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
beforeEach(async () => {
  queue = await startQueue({ limits: "attempts: 2, backoff: 10ms" });
});
afterEach(async () => await queue.stop());

const detail = async (text: string) =>
  await askDaemon(queue.config.stateDir, "GET", `/api/tasks/${encodeURIComponent(text)}`, taskDetail.strict());
const log = async (text: string, query = "") =>
  await askDaemon(queue.config.stateDir, "GET", `/api/tasks/${encodeURIComponent(text)}/log${query}`, taskLog.strict());
const types = (steps: readonly TaskStep[]) => steps.map(({ type }) => type);
const told = (type: string, count = 1) => queue.events.filter((event) => event.type === type).length >= count;

function expectInOrder(steps: readonly TaskStep[]): void {
  const times = steps.map(({ at }) => Date.parse(at));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
}

/** Drops a task and waits until its last step is written down. */
async function done(name: string, text: string): Promise<TaskStep[]> {
  await queue.drop(name, text);
  return await until("it is done", async () => {
    const { over, lines } = await log(name).catch(() => ({ over: false, lines: [] }));
    return over && types(lines).includes("done") && lines;
  });
}

describe("a task's timeline", () => {
  test("has what the queue did and what the agent said, in order", async () => {
    const steps = await done("task.md", "Fix it.\nagent: work 500ms\nagent: say It is fixed.\n");
    expect(types(steps)).toEqual(["seen", "routed", "launched", "ready", "submitted", "said", "done"]);
    expectInOrder(steps);
    expect(steps.find(({ type }) => type === "said")?.text).toBe("It is fixed.");
    expect(steps.find(({ type }) => type === "launched")?.text).toMatch(/^launched in ccl-auto-1\d with /);
    const { timeline, result, prompt } = await detail("task.md");
    expect(timeline).toEqual(steps);
    expect(result).toBe("It is fixed.");
    expect(prompt).toBe("Fix it.\nagent: work 500ms\nagent: say It is fixed.\n");
  });

  test("goes on over retries and when the task is put back, and each run's words are there once", async () => {
    await queue.drop("task.md", "Build it.\nagent: needs ready.txt\nagent: work 500ms\nagent: say Built.\n");
    await until("it has failed", () => told("failed"));
    await writeFile(join(queue.project, "ready.txt"), "");
    await rename(
      join(queue.project, ".agent-queue", "failed", "task.md"),
      join(queue.project, ".agent-queue", "inbox", "task.md"),
    );
    await until("it is done", () => told("done"));
    const steps = await until("its end is written down", async () => {
      const { lines } = await log("task.md");
      return types(lines).includes("done") && lines;
    });
    expect(types(steps)).toEqual([
      ...["seen", "routed", "launched", "ready", "submitted", "retrying", "launched", "ready", "submitted", "failed"],
      ...["seen", "routed", "launched", "ready", "submitted", "said", "done"],
    ]);
    expectInOrder(steps);
    expect(steps.filter(({ type }) => type === "seen").map(({ text }) => text)).toEqual([
      "seen in the inbox",
      "put back into the inbox",
    ]);
    expect(steps.filter(({ text }) => text === "Built.")).toHaveLength(1);
    const { timeline, run_dir } = await detail("task.md");
    expect(timeline).toEqual(steps);
    expect(await readdir(run_dir ?? "")).toContain("prompt.md");
    expect(run_dir).toMatch(/-3$/);
  });

  test("has the agent's words while it still works", async () => {
    await queue.drop("task.md", "agent: background 60s\nagent: say Later.\n");
    const steps = await until("it has said something", async () => {
      const { timeline } = await detail("task.md").catch(() => ({ timeline: [] }));
      return types(timeline).includes("said") && timeline;
    });
    expect(steps.at(-1)?.text).toMatch(/background/);
    expect(await detail("task.md")).toMatchObject({ state: "running", result: null, finished_at: null });
    expect((await log("task.md")).over).toBe(false);
  });

  test("is the task's own", async () => {
    await done("one.md", "agent: say One.\n");
    const steps = await done("two.md", "agent: say Two.\n");
    expect(steps.map(({ text }) => text)).not.toContain("One.");
    expect(types(steps).filter((type) => type === "seen")).toHaveLength(1);
  });

  test("says how a task was cancelled, and its prompt is shown as long as its file is there", async () => {
    await queue.drop("task.md", "Fix it.\nagent: hang\n");
    await until("it works", () => told("submitted"));
    expect((await detail("task.md")).prompt).toBe("Fix it.\nagent: hang\n");
    await askDaemon(queue.config.stateDir, "POST", "/api/tasks/task.md/cancel", commanded, { body: {} });
    const { lines } = await until("it is over", async () => {
      const found = await log("task.md");
      return found.over && types(found.lines).includes("cancelled") && found;
    });
    expect(types(lines).at(-1)).toBe("cancelled");
    expect((await detail("task.md")).state).toBe("cancelled");
  });

  test("cuts what is too long, and the log shows more of it", async () => {
    const steps = await done("task.md", `agent: say ${"word ".repeat(4_000)}\n`);
    const said = steps.find(({ type }) => type === "said")?.text ?? "";
    const short = (await detail("task.md")).timeline.find(({ type }) => type === "said")?.text ?? "";
    expect(said).toHaveLength(10_001);
    expect(short).toHaveLength(501);
    expect(said.endsWith("…") && short.endsWith("…")).toBe(true);
    expect(said.startsWith(short.slice(0, -1))).toBe(true);
  });
});

describe("the log", () => {
  test("is read on from where it was left, whatever number that is", async () => {
    const lines = await done("task.md", "agent: say Done.\n");
    const all = await log("task.md");
    expect(all).toMatchObject({ task: "alpha/task.md", over: true, lines, next: lines.length });
    expect(all.id).toBe(queue.events[0]?.id);
    for (let from = 0; from <= lines.length; from += 1) {
      const part = await log("task.md", `?from=${from}`);
      expect(part).toEqual({ ...all, lines: lines.slice(from) });
    }
    expect(await log("task.md", "?from=9999")).toEqual({ ...all, lines: [] });
  });

  test("comes line by line to whoever asks again and again, each once and none missed", async () => {
    await queue.drop("task.md", "agent: work 1s\nagent: say Done.\n");
    const seen: TaskStep[] = [];
    let next = 0;
    await until("it is over", async () => {
      const part = await log("task.md", `?from=${next}`).catch(() => null);
      if (part === null) return false;
      seen.push(...part.lines);
      next = part.next;
      return part.over && types(seen).includes("done");
    });
    expect(types(seen)).toEqual(["seen", "routed", "launched", "ready", "submitted", "said", "done"]);
  });

  test.each(["?from=-1", "?from=x", "?from=1.5", "?from=", "?from=1&from=2", "?to=1"])(
    "does not take %s",
    async (query) => {
      await done("task.md", "agent: say Done.\n");
      await expect(log("task.md", query)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
    },
  );
});

test("hostile words stay words, in the place of their agent's", async () => {
  const said = '</script><img src=x>\\n| run | x |\\n<!-- ccl-queue:footer -->\\n\u001b[31mred {"type":"assistant"}';
  const title = "<b>\u001b[2J#{x}";
  const steps = await done(
    "task.md",
    `---\ntitle: "${title.replace("\u001b", "\\e")}"\nnobody: "a\\nb"\n---\nagent: work 500ms\nagent: say ${said}\n`,
  );
  expect(types(steps)).toEqual(["seen", "routed", "launched", "ready", "submitted", "said", "done"]);
  expect(steps.find(({ type }) => type === "said")?.text).toBe(said.replaceAll("\\n", "\n"));
  const shown = await detail("task.md");
  expect(shown).toMatchObject({ title, state: "done", result: said.replaceAll("\\n", "\n") });
});

test.each(["../../etc/passwd", "%00", "kabcdefghi", "a".repeat(3_000)])("there is no log of %j", async (text) => {
  await expect(log(text)).rejects.toMatchObject({ code: "TASK_UNKNOWN" });
  await expect(detail(text)).rejects.toMatchObject({ code: "TASK_UNKNOWN" });
});

test("a file that was rejected is no task, and whoever asks for it is told why and where it is", async () => {
  await queue.drop("broken.md", "---\npriority: [high\n---\nDo it.\n");
  await until("it is rejected", () => told("rejected"));
  const path = join(queue.project, ".agent-queue", "failed", "broken.md");
  for (const text of ["broken.md", "alpha/broken.md", path]) {
    const told = {
      code: "TASK_UNKNOWN",
      message: expect.stringMatching(/, but its file is there: rejected: TASK_INVALID: the frontmatter cannot be read/),
      hint: expect.stringContaining(path),
    };
    await expect(detail(text)).rejects.toMatchObject(told);
    await expect(log(text)).rejects.toMatchObject(told);
  }
});
