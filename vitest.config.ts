import { defineConfig } from "vitest/config";

/** One vitest project a kind of test: what it may touch decides how long it may take. */
const project = (name: string, testTimeout: number, more: object = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...more },
});

/** They start the program itself. */
const BUILD = "test/helpers/build.ts";
/** They share nothing but code, so they need no process each. */
const TOGETHER = { isolate: false, maxWorkers: 3 };
/** They wait more than they compute: eight files at a time, also where there are two cores. */
const MOSTLY_WAITING = { isolate: false, maxWorkers: 8, sequence: { groupOrder: 4 } };
/** They wait as much as they compute. */
const SIDE_BY_SIDE = { isolate: false, maxWorkers: 6, sequence: { groupOrder: 1 } };
const IN_THREES = { isolate: false, maxWorkers: 3, sequence: { groupOrder: 3 } };
const ALONE = { fileParallelism: false, sequence: { groupOrder: 2 } };

export default defineConfig({
  test: {
    allowOnly: false,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    expect: { requireAssertions: true },
    sequence: { shuffle: { tests: true } },
    // What decides what becomes of a task: nothing of it is without a test.
    coverage: {
      provider: "v8",
      include: ["src/{core,router}/**/*.ts"],
      reporter: [["text", { skipFull: true }]],
      thresholds: { 100: true },
    },
    projects: [
      project("repository", 5_000, { ...TOGETHER, include: ["test/*.test.ts"] }),
      project("unit", 5_000, TOGETHER),
      project("component", 5_000, TOGETHER),
      project("hostile", 5_000, TOGETHER),
      project("integration", 30_000, { ...MOSTLY_WAITING, globalSetup: "test/helpers/shared-redis.ts" }),
      project("e2e", 90_000, { ...SIDE_BY_SIDE, globalSetup: BUILD }),
      project("browser", 90_000, SIDE_BY_SIDE),
      // What is done by the dozen or the hundred, for minutes.
      project("endurance", 300_000, { ...IN_THREES, globalSetup: BUILD }),
      // What is promised in seconds is measured with nothing beside it.
      project("speed", 90_000, { ...ALONE, globalSetup: BUILD }),
      project("claude", 180_000, ALONE),
      project("docker", 300_000, ALONE),
    ],
  },
});
