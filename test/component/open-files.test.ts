import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { openForWriting } from "../../src/ledger/open-files.ts";

let dir: string;
let file: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "open-")));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  file = join(dir, "a file.md");
  writeFileSync(file, "Do it.");
});

/** A process that opens a file and keeps it open. */
async function holdOpen(script: string) {
  const child = spawn("sh", ["-c", `${script}; echo open; read line`], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

describe("a file counts as open for writing while another process", () => {
  test.each([
    ["writes it", ">", true],
    ["appends to it", ">>", true],
    ["reads and writes it", "<>", true],
    ["only reads it", "<", false],
  ])("%s: %s %s", async (_what, redirection, expected) => {
    const child = await holdOpen(`exec 3${redirection} '${file}'`);
    expect([...(await openForWriting([file]))]).toEqual(expected ? [file] : []);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await openForWriting([file])).toEqual(new Set());
  });
});

test("this process counts like any other", async () => {
  const descriptor = openSync(file, "a");
  expect(await openForWriting([file])).toEqual(new Set([file]));
  closeSync(descriptor);
});

test("of many files only the held ones are told", async () => {
  const others = ["b.md", "c.md", "not there.md"].map((name) => join(dir, name));
  await holdOpen(`exec 3>> '${file}' 4> '${join(dir, "c.md")}' 5> '${join(dir, "unasked.md")}'`);
  expect(await openForWriting([file, ...others])).toEqual(new Set([file, join(dir, "c.md")]));
});

test("nothing is asked about no files", async () => {
  expect(await openForWriting([])).toEqual(new Set());
});

describe("where there is no /proc, lsof is asked", () => {
  beforeEach(() => {
    const platform = Object.getOwnPropertyDescriptor(process, "platform") ?? {};
    Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
    onTestFinished(() => void Object.defineProperty(process, "platform", platform));
  });

  /** An lsof that says what the real one would. */
  function lsof(...lines: string[]): void {
    const words = lines.map((line) => `'${line}'`).join(" ");
    writeFileSync(
      join(dir, "lsof"),
      `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/asked'\nprintf '%s\\n' ${words}\nexit 1\n`,
      {
        mode: 0o755,
      },
    );
    vi.stubEnv("PATH", `${dir}:${process.env["PATH"]}`);
  }

  test.each([
    ["aw", true],
    ["au", true],
    ["ar", false],
    ["a ", false],
  ])("and %j before a file's name says that it is written: %s", async (access, expected) => {
    lsof("p501", "f3", access, `n${file}`);
    expect(await openForWriting([file])).toEqual(new Set(expected ? [file] : []));
  });

  test("and each file has its own access", async () => {
    lsof("p501", "f3", "aw", "n/a.md", "f4", "ar", "n/b.md", "p502", "f9", "au", "n/c.md");
    expect(await openForWriting(["/a.md", "/b.md", "/c.md"])).toEqual(new Set(["/a.md", "/c.md"]));
  });

  test("and nothing open is no error, though lsof calls it one", async () => {
    lsof();
    expect(await openForWriting([file])).toEqual(new Set());
  });

  test("and not being installed counts as nothing open", async () => {
    vi.stubEnv("PATH", dir);
    expect(await openForWriting([file])).toEqual(new Set());
  });
});
