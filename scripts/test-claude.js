import { orExit } from "./failure.js";
import { installClaude } from "./setup/claude.js";
import { setUp } from "./setup.js";
import { runTests } from "./vitest.js";

/** The newest Claude Code that we know, and the oldest that we promise to work with. */
const VERSIONS = ["2.1.329", "2.1.197"];

await setUp();
await orExit(async () => {
  for (const version of VERSIONS) await installClaude(version);
  await runTests(["claude"], process.argv.slice(2));
});
