import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { childEnvironment } from "../../src/config/environment.ts";
import { probe } from "../../src/queue/connection.ts";
import { EmbeddedRedis } from "../../src/queue/embedded-redis.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-redis-"));
  onTestFinished(() => rm(dir, { recursive: true }));
});

/** A Redis whose program does something else first; `$starts` is how often it was started. */
async function embedded(first: string): Promise<EmbeddedRedis> {
  const { PATH = "", ...environment } = childEnvironment({ HOME: dir });
  const count = 'echo start >> "$HOME/starts"; starts=$(wc -l < "$HOME/starts")';
  await writeFile(join(dir, "redis-server"), `#!/bin/sh\n${count}\n${first}\nPATH=$REAL_PATH exec redis-server "$@"\n`);
  await chmod(join(dir, "redis-server"), 0o700);
  return new EmbeddedRedis(join(dir, "state"), { ...environment, PATH: `${dir}:${PATH}`, REAL_PATH: PATH });
}

const starts = async () => (await readFile(join(dir, "starts"), "utf8")).split("\n").length - 1;

test("one that is killed while it starts is started again", async () => {
  const redis = await embedded('[ "$starts" -gt 2 ] || kill -9 $$');
  await redis.start();
  onTestFinished(() => redis.stop());
  expect(await starts()).toBe(3);
});

test("one that is killed again and again is given up", async () => {
  const redis = await embedded("kill -9 $$");
  await expect(redis.start()).rejects.toMatchObject({ code: "REDIS_FAILED" });
  expect(await starts()).toBe(5);
});

test("one that ends by itself is not tried again", async () => {
  const redis = await embedded("exit 1");
  await expect(redis.start()).rejects.toMatchObject({ code: "REDIS_FAILED" });
  expect(await starts()).toBe(1);
});

test("one that is there is not taken for gone by a daemon that stands still while it looks", async () => {
  const redis = await embedded(":");
  await redis.start();
  onTestFinished(() => redis.stop());
  const looking = probe(redis.address);
  await new Promise((resolve) => process.nextTick(resolve));
  standStill(2_500);
  expect(await looking).toBeGreaterThan(0);
});

/** Nothing else of this process goes on meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
