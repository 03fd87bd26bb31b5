import { check } from "./check.js";
import { orExit } from "./failure.js";
import { setUp } from "./setup.js";
import { close, countTests, runTests } from "./vitest.js";

/** They are to reach all of core and router; what the others reach proves little. */
const COVERING = ["repository", "unit", "component", "hostile"];
const OTHERS = ["integration", "e2e", "browser", "speed"];
const args = process.argv.slice(2);

await setUp({ browser: true });
// Whoever asks for certain tests wants those alone.
await orExit(async () => (args.length === 0 ? await testAll() : await runTests([...COVERING, ...OTHERS], args)));

async function testAll() {
  const failed = await check();
  if (failed > 0) return close({ passed: 0, failed });
  const covering = await countTests(COVERING, ["--coverage"]);
  const others = await countTests(OTHERS, []);
  close({ passed: covering.passed + others.passed, failed: covering.failed + others.failed });
}
