import { spawn } from "node:child_process";
import { once } from "node:events";
import { renameSync } from "node:fs";
import { link, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { SETTLE_MS } from "../../src/ledger/completeness.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

/** Without a session, nothing is run: every task waits to be changed. */
const NO_SESSION = "pool: { autonomous: { min: 0, max: 1 } }";
const ROUNDS = 40;

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const inbox = () => join(queue.project, ".agent-queue", "inbox");

/** The names of the tasks that something of this type was told of, each as often as it was. */
const told = (type: string) => queue.events.flatMap((event) => (event.type === type ? [event.task.name] : []));

/** How long after a move the task is seen, in ms. */
async function seenAfterMs(draft: string, name: string): Promise<number> {
  const seen = new Promise<number>((resolve) => {
    queue.app.events.on(({ type, task }) => {
      if (type === "seen" && task.name === name) resolve(performance.now());
    });
  });
  const movedAt = performance.now();
  await rename(draft, join(inbox(), name));
  return (await seen) - movedAt;
}

test.each<[string, (draft: string) => Promise<void>]>([
  ["just after it was written", async () => {}],
  ["with times that do not tell", async (draft) => await utimes(draft, 4_000_000_000, 4_000_000_000)],
])("a file that is moved in %s is seen before it could have settled", async (_what, prepare) => {
  queue = await startQueue({ yaml: NO_SESSION });
  const waits: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const draft = join(queue.dir, "draft");
    await writeFile(draft, "moved in\n");
    await prepare(draft);
    waits.push(await seenAfterMs(draft, `moved-${round}.md`));
  }
  // The quickest of them: a busy machine makes any of them late, and none of them early.
  expect(Math.min(...waits)).toBeLessThan(SETTLE_MS);
});

test("files that are moved in go past one that is written in place, however often it is looked at", async () => {
  queue = await startQueue({ yaml: NO_SESSION });
  const overtaken: boolean[] = [];
  for (let round = 0; round < 5; round += 1) {
    await writeFile(join(inbox(), `placed-${round}.md`), "written in place\n");
    for (const name of [`first-${round}.md`, `second-${round}.md`]) {
      const draft = join(queue.dir, "draft");
      await writeFile(draft, "moved in\n");
      await seenAfterMs(draft, name);
    }
    overtaken.push(!told("seen").includes(`placed-${round}.md`));
  }
  // One is enough: where the machine takes longer for the others than a file takes to settle, it tells nothing.
  expect(overtaken).toContain(true);
});

test.each([
  ["one write", `echo once > "$f"`],
  ["one long write", `dd if="$source" of="$f" bs=1M 2> "$scrap"`],
  ["several writes", `{ printf 'a, '; printf 'b, '; echo c; } > "$f"`],
  ["a pause in mid-file", `{ printf 'a, '; sleep 0.03; echo b; } > "$f"`],
  ["an opening for each part", `printf 'a, ' > "$f"; echo b >> "$f"`],
  ["an empty file first", `: > "$f"; echo text >> "$f"`],
  ["a start over", `echo old > "$f"; printf 'new ' > "$f"; echo text >> "$f"`],
  ["cp", `cp "$source" "$f"`],
  ["cat", `cat "$source" > "$f"`],
])("a file that is written in place, by %s, is not read before it is whole", async (_what, script) => {
  queue = await startQueue({ yaml: NO_SESSION });
  const source = join(queue.dir, "source");
  await writeFile(source, "x".repeat(1_000_000));
  const env = { ...process.env, source, scrap: join(queue.dir, "scrap") };
  const loop = `for n in $(seq ${ROUNDS}); do f=$n.md; ${script}; done`;
  const [code] = await once(spawn("sh", ["-c", loop], { cwd: inbox(), env, stdio: "inherit" }), "exit");
  expect(code).toBe(0);
  // It settles after all others: by then, what was read too early was read again.
  await writeFile(join(inbox(), "last.md"), "last\n");
  await until("the last is seen", () => told("seen").includes("last.md"));
  expect(told("seen")).toHaveLength(ROUNDS + 1);
  expect([told("updated"), told("rejected")]).toEqual([[], []]);
});

test("a file whose rejection a crash cut short, and which comes back, is in failed/ once", async () => {
  queue = await startQueue({ yaml: NO_SESSION });
  await writeFile(join(inbox(), ".kept"), "---\npriority: [\n---\nWork.\n");
  await link(join(inbox(), ".kept"), join(inbox(), "bad.md"));
  expect(await queue.settled("failed", 1)).toEqual(["bad.md"]);
  await rename(join(inbox(), ".kept"), join(inbox(), "bad.md"));
  await until("it is told again", () => told("rejected").length === 2);
  expect(await queue.names("inbox")).toEqual([]);
  expect(await queue.names("failed")).toEqual(["bad.md"]);
});

test("a file that comes back in the moment of its rejection is rejected again, and not left in its inbox", async () => {
  queue = await startQueue({ yaml: NO_SESSION });
  await writeFile(join(inbox(), ".kept"), "---\npriority: [\n---\nWork.\n");
  queue.app.events.on(({ type }) => {
    if (type === "rejected" && told("rejected").length === 1)
      renameSync(join(inbox(), ".kept"), join(inbox(), "bad.md"));
  });
  await link(join(inbox(), ".kept"), join(inbox(), "bad.md"));
  await until("it is told again", () => told("rejected").length === 2);
  expect(await queue.names("inbox")).toEqual([]);
});
