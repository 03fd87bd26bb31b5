import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A tmux in front of the real one that counts how often it is started.
 * @param {import("../sandbox.js").Sandbox} sandbox
 */
export function openCountedTmux({ dir, env }) {
  const bin = join(dir, "bin");
  const starts = join(dir, "tmux-starts");
  const tmux = execFileSync("sh", ["-c", "command -v tmux"], { env, encoding: "utf8" }).trim();
  mkdirSync(bin);
  writeFileSync(starts, "");
  writeFileSync(join(bin, "tmux"), `#!/bin/sh\nprintf . >> '${starts}'\nexec '${tmux}' "$@"\n`);
  chmodSync(join(bin, "tmux"), 0o755);
  return {
    environment: { PATH: `${bin}:${env.PATH}` },
    /** How often so far. */
    count: () => statSync(starts).size,
  };
}
