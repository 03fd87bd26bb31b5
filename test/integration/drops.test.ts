import { createHash } from "node:crypto";
import { appendFile, mkdir, open, rename, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterEach, describe, expect, test } from "vitest";
import { prepareQueue, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

/** The prompts that agents took, by their first line after the run's tag. */
async function promptsRun(): Promise<string[]> {
  return (await queue.witness()).filter(({ event }) => event === "submit").map(({ firstLine }) => firstLine ?? "");
}

const inbox = (name: string) => join(queue.project, ".agent-queue", "inbox", name);

describe("each way a file arrives gives exactly one run", () => {
  test("moved in whole", async () => {
    queue = await startQueue();
    await queue.drop("moved.md", "moved in\n");
    expect(await queue.settled("done", 1)).toEqual(["moved.md"]);
    expect(await promptsRun()).toEqual(["moved in"]);
  });

  test("copied with cp", async () => {
    queue = await startQueue();
    const source = join(queue.dir, "copied.md");
    await writeFile(source, "copied in\n");
    await execa("cp", [source, inbox("copied.md")]);
    expect(await queue.settled("done", 1)).toEqual(["copied.md"]);
    expect(await promptsRun()).toEqual(["copied in"]);
  });

  test("saved by an editor that renames its draft over the file", async () => {
    queue = await startQueue();
    await writeFile(inbox(".edited.md.swp"), "swap");
    await writeFile(inbox("edited.md~"), "backup");
    await writeFile(inbox("4913"), "probe");
    await unlink(inbox("4913"));
    await writeFile(inbox("edited.md.tmp"), "edited\n");
    await rename(inbox("edited.md.tmp"), inbox("edited.md"));
    expect(await queue.settled("done", 1)).toEqual(["edited.md"]);
    expect(await promptsRun()).toEqual(["edited"]);
    expect(await queue.names("inbox")).toEqual([".edited.md.swp", "edited.md~"]);
  });

  test("saved twice by an editor that moves the old file away first", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("busy.md", "agent: work 1s\n");
    await until("the session is busy", async () => (await promptsRun()).length === 1);
    await writeFile(inbox("vim.md"), "first\n");
    await until("it is seen", () => queue.events.some(({ type, task }) => type === "seen" && task.name === "vim.md"));
    await rename(inbox("vim.md"), inbox("vim.md~"));
    await writeFile(inbox("vim.md"), "second\n");
    await unlink(inbox("vim.md~"));
    await queue.settled("done", 2);
    expect((await promptsRun()).slice(1)).toEqual(["second"]);
  });

  test("written slowly over 3 s", async () => {
    queue = await startQueue();
    const file = await open(inbox("slow.md"), "w");
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index} of a slow writer\n`);
    for (const line of lines) {
      await file.write(line);
      await sleep(100);
    }
    await file.close();
    await queue.settled("done", 1);
    const [submit] = (await queue.witness()).filter(({ event }) => event === "submit");
    expect(submit?.promptSha256).toBe(sha256(`[run ${submit?.run}]\n${lines.join("")}`));
    expect(await promptsRun()).toHaveLength(1);
  });

  test("by a writer that pauses for 2 s in mid-file", async () => {
    queue = await startQueue();
    const file = await open(inbox("pausing.md"), "w");
    await file.write("---\npriority: critical\n---\nfirst half, ");
    await sleep(2_000);
    expect(await promptsRun()).toEqual([]);
    await file.write("second half\n");
    await file.close();
    await queue.settled("done", 1);
    expect(await promptsRun()).toEqual(["first half, second half"]);
    expect((await queue.witness()).every(({ model }) => model === "opus")).toBe(true);
  });
});

describe("inboxes come and go", () => {
  test("one made while running is picked up", async () => {
    queue = await startQueue();
    const other = join(queue.dir, "projects", "beta");
    await mkdir(join(other, ".agent-queue", "inbox"), { recursive: true });
    await queue.drop("late.md", "late\n", other);
    await until("it is done", async () => (await queue.names("done", other)).includes("late.md"));
    expect(await promptsRun()).toEqual(["late"]);
  });

  test("one in a folder that was made, or made anew, while running is picked up", async () => {
    queue = await prepareQueue();
    const projects = dirname(queue.project);
    await rm(projects, { recursive: true });
    await queue.app.start();
    for (const name of ["a.md", "b.md"]) {
      await mkdir(join(queue.project, ".agent-queue", "inbox"), { recursive: true });
      await queue.drop(name, "It is all new.\n");
      expect(await queue.settled("done", 1, 10_000)).toEqual([name]);
      await until("its inbox is empty", async () => (await queue.names("inbox")).length === 0);
      await rm(projects, { recursive: true });
    }
    expect(queue.errors).toEqual([]);
  });

  test.each(["", ".agent-queue/inbox"])(
    "one that takes another's place, with its <project>/%s, is picked up",
    async (part) => {
      queue = await startQueue();
      await rename(join(queue.project, part), join(queue.dir, "aside"));
      await mkdir(inbox(""), { recursive: true });
      for (const name of ["a.md", "b.md"]) await queue.drop(name, "It is all new.\n");
      // A run that is still at its file would complain of the inbox that goes.
      await queue.settled("done", 2);
      await rm(inbox(""), { recursive: true });
      await mkdir(inbox(""));
      await queue.drop("c.md", "It is all new.\n");
      await queue.settled("done", 3, 5_000);
      expect(queue.errors).toEqual([]);
    },
  );

  test("one that takes another's place and cannot be read is told of", async () => {
    queue = await startQueue();
    const [path, aside] = [inbox(""), join(queue.dir, "aside")];
    await rename(path, aside);
    await symlink("inbox", path);
    await until("it is told", () => queue.errors.length > 0);
    expect(queue.errors).toEqual([expect.objectContaining({ code: "INBOX_UNREADABLE" })]);
    await rm(path);
    await rename(aside, path);
    await queue.drop("task.md", "a task\n");
    expect(await queue.settled("done", 1)).toEqual(["task.md"]);
  });

  test("what waits at the start is run, in the order in which it came", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.app.stop();
    const names = ["c.md", "a.md", "b.md"];
    for (const name of names) await writeFile(join(queue.dir, name), `${name}\n`);
    for (const name of names) {
      // What is moved in within the tick in which it was written has to settle first, and would come last.
      await untilFilesAreNewer();
      await rename(join(queue.dir, name), inbox(name));
    }
    await queue.app.start();
    await queue.settled("done", 3);
    expect(await promptsRun()).toEqual(["c.md", "a.md", "b.md"]);
  });
});

describe("a waiting task follows its file", () => {
  test("edited, it runs with the new text; deleted, it does not run", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("busy.md", "agent: work 1s\n");
    await until("the session is busy", async () => (await promptsRun()).length === 1);
    await queue.drop("edited.md", "old text\n");
    await queue.drop("deleted.md", "never\n");
    const seen = () => queue.events.filter(({ type }) => type === "seen").length;
    await until("both are seen", () => seen() === 3);
    await appendFile(inbox("edited.md"), "and more\n");
    await unlink(inbox("deleted.md"));
    await until("both are known", () =>
      ["updated", "cancelled"].every((type) => queue.events.some((event) => event.type === type)),
    );
    await queue.settled("done", 2);
    expect(await promptsRun()).toEqual(["agent: work 1s", "old text"]);
    expect(await queue.read("done", "edited.md")).toMatch(/^old text\nand more\n\n\n<!-- ccl-queue/);
  });

  test("given another priority, it takes its new place", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("busy.md", "agent: work 1s\n");
    await until("the session is busy", async () => (await promptsRun()).length === 1);
    for (const name of ["first.md", "second.md"]) await queue.drop(name, `---\npriority: low\n---\n${name}\n`);
    const routed = () => queue.events.filter(({ type }) => type === "routed").length;
    await until("both wait", () => routed() === 3);
    await queue.drop("second.md", "---\npriority: critical\n---\nsecond.md\n");
    await queue.settled("done", 3);
    expect(await promptsRun()).toEqual(["agent: work 1s", "second.md", "first.md"]);
  });

  test("put back from done/, it runs again without its footer", async () => {
    queue = await startQueue();
    await queue.drop("again.md", "once more\n");
    await queue.settled("done", 1);
    await rename(join(queue.project, ".agent-queue/done/again.md"), inbox("again.md"));
    await until("it ran twice", async () => (await promptsRun()).length === 2);
    await queue.settled("done", 1);
    const hashes = (await queue.witness())
      .filter(({ event }) => event === "submit")
      .map(({ promptBytes }) => promptBytes);
    expect(new Set(hashes).size).toBe(1);
    expect((await queue.read("done", "again.md")).match(/ccl-queue:footer -->/g)).toHaveLength(2);
  });

  test("one that has to be tried again and has lost its name to another keeps apart from that one", async () => {
    queue = await startQueue({ sessions: 1, limits: "attempts: 2, backoff: 10ms" });
    await queue.drop("x.md", "agent: work 1s\nagent: fail server_error first\n");
    await until("it runs", async () => (await promptsRun()).length === 1);
    await queue.drop("x.md", "agent: fail server_error second\n");
    expect(await queue.settled("done", 2, 25_000)).toEqual(["x-2.md", "x.md"]);
    for (const [name, text] of [
      ["x.md", "second"],
      ["x-2.md", "first"],
    ] as const) {
      expect(await queue.read("done", name)).toContain(`agent: fail server_error ${text}`);
      expect(await queue.read("done", name)).toContain("| attempts | 2 |");
    }
    expect(await promptsRun()).toHaveLength(5);
  });

  test("dropped again while it runs, it runs again after", async () => {
    queue = await startQueue();
    await queue.drop("same.md", "agent: work 500ms\n");
    await until("it runs", async () => (await promptsRun()).length === 1);
    await queue.drop("same.md", "the second\n");
    expect(await queue.settled("done", 2)).toEqual(["same-2.md", "same.md"]);
    expect(await promptsRun()).toEqual(["agent: work 500ms", "the second"]);
  });
});

/** Files made within one tick of the kernel's file clock are equally old: waits for the next tick. */
async function untilFilesAreNewer(): Promise<void> {
  const probe = async () => {
    await writeFile(join(queue.dir, "probe"), "");
    return (await stat(join(queue.dir, "probe"), { bigint: true })).ctimeNs;
  };
  const before = await probe();
  await until("the file clock ticks", async () => (await probe()) > before);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
