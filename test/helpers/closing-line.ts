import type { SerializedError } from "vitest";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

export type Counts = { passed: number; failed: number };

/** Tells the script that started vitest how many tests there were, for the line that it ends with. */
// biome-ignore lint/style/noDefaultExport: vitest finds a reporter by its default export
export default class ClosingLine implements Reporter {
  async onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]) {
    const counts = modules.map(countModule).reduce(add, { passed: 0, failed: unhandledErrors.length });
    await new Promise((sent) => process.send?.(counts, sent));
  }
}

function countModule(module: TestModule): Counts {
  const states = [...module.children.allTests()].map((test) => test.result().state);
  const brokenSuites = [module, ...module.children.allSuites()].filter(isBroken);
  return {
    passed: states.filter((state) => state === "passed").length,
    // A test that was never finished is no better than one that failed.
    failed: states.filter((state) => state === "failed" || state === "pending").length + brokenSuites.length,
  };
}

/** Its own code failed, outside of any test: an import, a hook. */
const isBroken = (suite: TestModule | TestSuite) => suite.errors().length > 0;

const add = (a: Counts, b: Counts): Counts => ({ passed: a.passed + b.passed, failed: a.failed + b.failed });
