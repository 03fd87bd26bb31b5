import { afterEach, expect, test } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { statusSchema } from "../../src/control/status.ts";
import { type Daemon, endDaemons, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const MOST_MS = 1_000;

let queue: QueueFixture;
let daemon: Daemon;

afterEach(async () => await endDaemons(queue, [daemon]));

test("status takes less than a second while a thousand tasks wait", async () => {
  queue = await prepareQueue({ sessions: 1 });
  for (let index = 0; index < 1_000; index += 1) {
    const priority = ["critical", "high", "default", "low"][index % 4];
    await queue.drop(`task-${index}.md`, `---\npriority: ${priority}\n---\nagent: hang\n`);
  }
  daemon = await startDaemon(queue.configFile, queue.environment);
  const status = async () => await askDaemon(queue.config.stateDir, "GET", "/api/status", statusSchema);
  await until("all wait but one", async () => (await status()).queues.local.waiting === 999, 30_000);

  const tookMs = [];
  for (let round = 0; round < 3; round += 1) {
    const startedMs = performance.now();
    const command = runCommand(["status", "--config", queue.configFile], queue.environment, queue.dir);
    expect(await command.ended()).toBe(0);
    tookMs.push(performance.now() - startedMs);
    expect(command.output()).toContain("waiting: 999 tasks");
  }
  // What the machine does meanwhile makes it slower, never quicker.
  expect(Math.min(...tookMs)).toBeLessThan(MOST_MS);
});
