import { defineConfig } from "vitest/config";

/** One vitest project a kind of test: what it may touch decides how long it may take. */
const project = (name: string, testTimeout: number, serial = false, more: string[] = []) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`, ...more],
    testTimeout,
    hookTimeout: testTimeout,
    fileParallelism: !serial,
  },
});

export default defineConfig({
  test: {
    allowOnly: false,
    restoreMocks: true,
    unstubEnvs: true,
    unstubGlobals: true,
    expect: { requireAssertions: true },
    sequence: { shuffle: { tests: true } },
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "json-summary"],
    },
    projects: [
      project("unit", 5_000, false, ["test/architecture.test.ts"]),
      project("integration", 30_000),
      project("e2e", 90_000, true),
      project("claude", 180_000, true),
    ],
  },
});
