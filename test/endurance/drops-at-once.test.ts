import { copyFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startQueue } from "../helpers/queue-fixture.ts";

test("200 files that arrive at once, copied and moved, are run once each", async () => {
  const queue = await startQueue({ sessions: 10, workMs: 1 });
  onTestFinished(async () => await queue.stop());
  const inbox = (name: string) => join(queue.project, ".agent-queue", "inbox", name);
  const names = Array.from({ length: 200 }, (_, index) => `task-${index}.md`);
  await Promise.all(
    names.map(async (name, index) => {
      const source = join(queue.dir, name);
      await writeFile(source, `prompt ${index}\n`);
      await (index % 2 === 0 ? copyFile(source, inbox(name)) : rename(source, inbox(name)));
    }),
  );
  await queue.settled("done", 200, 120_000);
  const prompts = (await queue.witness()).filter(({ event }) => event === "submit").map(({ firstLine }) => firstLine);
  expect(prompts.toSorted()).toEqual(names.map((_, index) => `prompt ${index}`).toSorted());
  expect(await queue.names("inbox")).toEqual([]);
  expect(await queue.names("failed")).toEqual([]);
});
