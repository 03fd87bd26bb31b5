import { check } from "./check.js";
import { orExit } from "./failure.js";
import { setUp } from "./setup.js";
import { close, runTests } from "./vitest.js";

const args = process.argv.slice(2);

await setUp({ browser: true });
await orExit(async () => {
  // Whoever asks for certain tests wants those alone.
  const failed = args.length === 0 ? await check() : 0;
  if (failed > 0) close({ passed: 0, failed });
  else await runTests(["unit", "integration", "e2e", "browser"], args);
});
