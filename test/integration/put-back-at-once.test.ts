import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { holdAnswer } from "../../src/cli/hold.ts";
import { commanded } from "../../src/control/task-view.ts";
import { renderFooter } from "../../src/ledger/footer.ts";
import { startQueue } from "../helpers/queue-fixture.ts";

const answer = z.object({ tasks: z.array(commanded) });

test("two who put all failed tasks back at once put back each of them once, and both are answered", async () => {
  const queue = await startQueue();
  try {
    await askDaemon(queue.config.stateDir, "POST", "/api/hold", holdAnswer, { body: {} });
    const names = Array.from({ length: 50 }, (_, index) => `${100 + index}.md`);
    const failed = join(queue.project, ".agent-queue", "failed");
    await mkdir(failed);
    const footer = renderFooter({ result: "failed", finishedAt: new Date() });
    for (const name of names) await writeFile(join(failed, name), `Do it.${footer}`);

    const ask = async () => await askDaemon(queue.config.stateDir, "POST", "/api/tasks/retry", answer, { body: {} });
    const answers = await Promise.all([ask(), ask()]);
    const back = answers.flatMap(({ tasks }) => tasks.map(({ task }) => task));
    expect([...new Set(back)].sort()).toEqual(names.map((name) => `alpha/${name}`));
    expect(await queue.names("inbox")).toEqual(names);
    expect(await queue.names("failed")).toEqual([]);
  } finally {
    await queue.stop();
  }
});
