import { onTestFinished } from "vitest";
import { askDaemon } from "../../src/cli/daemon-client.ts";
import { commanded } from "../../src/control/task-view.ts";
import { BoardQueues } from "../../src/queue/board-queues.ts";
import { createBoard } from "../../src/server/bull-board/board.ts";
import type { QueueFixture } from "./queue-fixture.ts";
import { type ServedApi, serveApi } from "./served-api.ts";
import { redisOf } from "./test-redis.ts";

export interface BoardServing {
  readonly readOnly?: boolean;
  readonly token?: string;
}

export interface ServedBoard extends ServedApi {
  readonly url: string;
  readonly queues: BoardQueues;
}

/** Bull Board in front of a queue's Redis, its tasks put back by the queue itself, until the test is over. */
export async function serveBoard(queue: QueueFixture, serving: BoardServing = {}): Promise<ServedBoard> {
  const { stateDir, workspace } = queue.config;
  const { readOnly = false, token = null } = serving;
  const onError = (error: unknown) => queue.errors.push(error);
  const queues = new BoardQueues({ address: redisOf(queue.config), workspace, onError });
  onTestFinished(async () => await queues.stop());
  const retry = async (id: string) =>
    await askDaemon(stateDir, "POST", `/api/tasks/${id}/retry`, commanded, { body: {} });
  const board = createBoard({ controls: { retry }, queues, readOnly, onError });
  const served = await serveApi({ token, readOnly, pages: { "/queues": board } });
  return { ...served, url: served.server.url, queues };
}
