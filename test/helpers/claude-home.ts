import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface ClaudeHome {
  dir: string;
  /** Where Claude Code keeps sessions/ and projects/ in it. */
  configDir: string;
  /** The whole environment for the real binary, or for the tmux server it runs in: nothing else is inherited. */
  env: Record<string, string>;
  /** The live status file of a running claude. */
  statusFile(pid: number): string;
  transcriptFile(projectDir: string, sessionId: string): string;
  /** Only once the claude that uses it is gone. */
  remove(): Promise<void>;
}

const FAKE_KEY = "sk-ant-api03-not-a-key-00000000000000000000";

/** A HOME in which the real Claude Code starts without a question and talks to nobody but `modelUrl`. */
export async function makeClaudeHome(options: { modelUrl: string; env?: Record<string, string> }): Promise<ClaudeHome> {
  const dir = await mkdtemp(join(tmpdir(), "claude-home-"));
  const configDir = join(dir, ".claude");
  const answers = {
    hasCompletedOnboarding: true,
    theme: "dark",
    customApiKeyResponses: { approved: [FAKE_KEY.slice(-20)], rejected: [] },
    resumeReturnDismissed: true,
    hasAcknowledgedCostThreshold: true,
  };
  await writeFile(join(dir, ".claude.json"), JSON.stringify(answers), { mode: 0o600 });
  return {
    dir,
    configDir,
    env: {
      HOME: dir,
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      SHELL: "/bin/sh",
      TERM: "xterm-256color",
      LANG: "C.UTF-8",
      ANTHROPIC_API_KEY: FAKE_KEY,
      ANTHROPIC_BASE_URL: options.modelUrl,
      IS_SANDBOX: "1",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL: "1",
      DISABLE_AUTOUPDATER: "1",
      // Where it keeps what commands in the background print.
      CLAUDE_CODE_TMPDIR: dir,
      ...options.env,
    },
    statusFile: (pid) => join(configDir, "sessions", `${pid}.json`),
    transcriptFile: (projectDir, sessionId) =>
      join(configDir, "projects", projectDir.replaceAll(/[^a-zA-Z0-9]/g, "-"), `${sessionId}.jsonl`),
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}
