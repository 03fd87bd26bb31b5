import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inProject } from "../project.js";
import { run } from "../run.js";

/** The newest Claude Code that we know, and the oldest that we promise to work with. */
export const VERSIONS = ["2.1.329", "2.1.197"];
const PACKAGE = "@anthropic-ai/claude-code";

/** Installs one version of Claude Code beside the others, in .cache/claude/<version>. @param {string} version */
export async function installClaude(version) {
  const home = inProject(".cache", "claude", version);
  if (existsSync(home)) return;
  console.error(`ccl-queue: installing Claude Code ${version} (npm install)`);
  // Moved into place when whole: an installation that was interrupted never counts.
  const draft = `${home}.new`;
  rmSync(draft, { recursive: true, force: true });
  const options = ["--prefix", draft, "--no-save", "--include=optional", "--ignore-scripts"];
  await run("npm", "install", ...options, `${PACKAGE}@${version}`);
  // Its install script puts the native program in place; npm would run it or not, as each user's settings say.
  await run(process.execPath, join(draft, "node_modules", PACKAGE, "install.cjs"));
  await run(join(draft, "node_modules", ".bin", "claude"), "--version");
  renameSync(draft, home);
}
