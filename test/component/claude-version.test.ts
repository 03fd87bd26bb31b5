import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { checkClaudeVersion } from "../../src/workers/claude/version.ts";

let dir: string;
let command: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "version-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  command = join(dir, "claude");
});

/** A program that stands for Claude Code. */
function install(script: string): void {
  writeFileSync(command, `#!/bin/sh\n${script}\n`);
  chmodSync(command, 0o755);
}

const PATH = "/usr/bin:/bin";
const check = (args: readonly string[] = []) => checkClaudeVersion({ command, args }, { PATH });

async function refusal(): Promise<QueueError> {
  const error = await check().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof QueueError) return error;
  throw new Error("it was taken", { cause: error });
}

describe("a Claude Code that is new enough is taken", () => {
  test.each([
    "2.1.329 (Claude Code)",
    "2.1.197 (Claude Code)",
    "2.1.198",
    "2.2.0 (Claude Code)",
    "2.10.1 (Claude Code)",
    "3.0.0 (Claude Code)",
    "10.0.0",
  ])("%s", async (version) => {
    install(`echo '${version}'`);
    await expect(check()).resolves.toBeUndefined();
  });
});

describe("a Claude Code that is too old is refused", () => {
  test.each([
    "2.1.196 (Claude Code)",
    "2.1.99 (Claude Code)",
    "2.0.76 (Claude Code)",
    "2.0.999",
    "1.9.999 (Claude Code)",
    "0.0.0",
  ])("%s", async (version) => {
    install(`echo '${version}'`);
    const { code, message, hint } = await refusal();
    expect(code).toBe("CLAUDE_TOO_OLD");
    expect(message).toBe(`${command} is version "${version}": it does not tell how a run ends`);
    expect(hint).toBe("install Claude Code 2.1.197 or newer");
  });

  test.each(["no version at all", "2.1", "v2", ""])("and so is what tells no version: %j", async (version) => {
    install(`echo '${version}'`);
    const { code, message } = await refusal();
    expect(code).toBe("CLAUDE_TOO_OLD");
    expect(message).toBe(`${command} is version "${version}": it does not tell how a run ends`);
  });
});

describe("a program that cannot be started is missing", () => {
  const hint = "install Claude Code, or set claude.command to where it is";

  test("when it is not there", async () => {
    const error = await refusal();
    expect(error).toMatchObject({ code: "CLAUDE_MISSING", hint });
    expect(error.message).toBe(`${command} --version: Command failed with ENOENT: ${command} --version`);
  });

  test("when it may not be run", async () => {
    install("echo 2.1.329");
    chmodSync(command, 0o644);
    const error = await refusal();
    expect(error).toMatchObject({ code: "CLAUDE_MISSING", hint });
    expect(error.message).toContain("EACCES");
  });

  test("when it fails, whatever it says before", async () => {
    install("echo '2.1.329 (Claude Code)'; echo broken >&2; exit 1");
    const error = await refusal();
    expect(error).toMatchObject({ code: "CLAUDE_MISSING", hint });
    expect(error.message).toBe(`${command} --version: Command failed with exit code 1: ${command} --version`);
    expect(error.cause).toBeInstanceOf(Error);
  });

  test("when it is killed", async () => {
    install("kill -9 $$");
    expect((await refusal()).message).toContain("SIGKILL");
  });
});

test("the program is asked with the operator's own arguments in front, and nothing on stdin", async () => {
  const asked = join(dir, "asked");
  install(`{ printf '%s\\n' "$@"; cat; } > '${asked}'; echo 2.1.329`);
  await check(["/opt/cli.js", "two words"]);
  expect(readFileSync(asked, "utf8")).toBe("/opt/cli.js\ntwo words\n--version\n");
});

test("the program gets the given environment and nothing of ours", async () => {
  install('test "$PATH" = /usr/bin:/bin && test -z "$VITEST" && echo 2.1.329');
  expect(process.env["VITEST"]).toBe("true");
  await expect(check()).resolves.toBeUndefined();
});

test("a bare name is looked for in the given PATH", async () => {
  install("echo 2.1.329");
  await expect(
    checkClaudeVersion({ command: "claude", args: [] }, { PATH: `${dir}:${PATH}` }),
  ).resolves.toBeUndefined();
});
