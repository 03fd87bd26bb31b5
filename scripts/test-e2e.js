import { setUp } from "./setup.js";
import { runTests } from "./vitest.js";

await setUp({ browser: true });
await runTests(["e2e", "browser", "speed", "endurance"], process.argv.slice(2));
