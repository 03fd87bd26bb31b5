import { check } from "./check.js";
import { orExit } from "./failure.js";
import { setUp } from "./setup.js";
import { close, countTests, runTests } from "./vitest.js";

const PROJECTS = ["integration", "e2e", "browser", "speed"];
const args = process.argv.slice(2);

await setUp({ browser: true });
// Whoever asks for certain tests wants those alone.
await orExit(async () => (args.length === 0 ? await testAll() : await runTests(["unit", ...PROJECTS], args)));

async function testAll() {
  const failed = await check();
  if (failed > 0) return close({ passed: 0, failed });
  // By themselves, as they are to reach all of core and router, and what the others reach proves little.
  const unit = await countTests(["unit"], ["--coverage"]);
  const others = await countTests(PROJECTS, []);
  close({ passed: unit.passed + others.passed, failed: unit.failed + others.failed });
}
