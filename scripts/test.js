import { check } from "./check.js";
import { orExit } from "./failure.js";
import { setUp } from "./setup.js";
import { close, countTests, runTests } from "./vitest.js";

/** They are to reach all of core and router; what a whole queue reaches proves little. */
const COVERING = ["repository", "unit", "component", "hostile"];
const args = process.argv.slice(2);

await setUp();
// Whoever asks for certain tests wants those alone.
await orExit(async () => (args.length === 0 ? await testAll() : await runTests([...COVERING, "integration"], args)));

async function testAll() {
  const failed = await check();
  if (failed > 0) return close({ passed: 0, failed });
  const covering = await countTests(COVERING, ["--coverage"]);
  const integration = await countTests(["integration"], []);
  close({ passed: covering.passed + integration.passed, failed: covering.failed + integration.failed });
}
