import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const SOCKET = "bench";

/** @typedef {ReturnType<typeof openSandbox>} Sandbox */

/** A directory with a home and a tmux server of its own: nothing of the operator's is read or touched. */
export function openSandbox() {
  const dir = mkdtempSync(join(tmpdir(), "ccl-bench-"));
  const env = { PATH: process.env["PATH"], HOME: dir, TMUX_TMPDIR: dir, SHELL: "/bin/sh", LANG: "C.UTF-8" };
  /** @param {string[]} args */
  const tmux = async (...args) => {
    await promisify(execFile)("tmux", ["-L", SOCKET, ...args], { env });
  };
  const close = async () => {
    await tmux("kill-server").catch(() => {});
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  };
  return { dir, env, socket: SOCKET, tmux, close };
}
