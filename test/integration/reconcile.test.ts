import { afterEach, expect, test, vi } from "vitest";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const MINUTE_MS = 60_000;

let queue: QueueFixture;
afterEach(async () => {
  vi.useRealTimers();
  await queue.stop();
});

test("a session that is killed while no task waits is made again within a minute", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  queue = await startQueue({ sessions: 2 });
  await queue.tmux("kill-session", "-t", "=ccl-auto-12");
  const sessions = async () => await queue.tmux("list-sessions", "-F", "#{session_name}");
  expect(await sessions()).toBe("ccl-auto-11");
  vi.advanceTimersByTime(MINUTE_MS);
  await until("it is back", async () => (await sessions()) === "ccl-auto-11\nccl-auto-12");
});
