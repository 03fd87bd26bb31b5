import { orExit } from "./failure.js";
import { installClaude, VERSIONS } from "./setup/claude.js";
import { setUp } from "./setup.js";
import { runTests } from "./vitest.js";

await setUp();
await orExit(async () => {
  for (const version of VERSIONS) await installClaude(version);
  await runTests(["claude"], process.argv.slice(2));
});
