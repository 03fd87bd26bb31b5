import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCommand } from "../helpers/daemon.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-command-"));
  await mkdir(join(dir, "work"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number | string; output: string }> {
  const command = runCommand(args, { HOME: dir }, join(dir, "work"));
  return { code: await command.ended(), output: command.output() };
}

test("init writes a commented configuration, and never over one that is there", async () => {
  const first = await run("init");
  expect(first).toMatchObject({ code: 0, output: expect.stringContaining("ccl-queue.yaml") });
  const written = await readFile(join(dir, "work", "ccl-queue.yaml"), "utf8");
  expect(written).toContain("projects_dir: ~/projects");
  await writeFile(join(dir, "work", "ccl-queue.yaml"), "mine");
  expect(await run("init")).toMatchObject({ code: 1, output: expect.stringContaining("[CONFIG_EXISTS]") });
  expect(await readFile(join(dir, "work", "ccl-queue.yaml"), "utf8")).toBe("mine");
});

test.each([
  ["nothing configured", null, "[CONFIG_NOT_FOUND]"],
  [
    "an unknown key",
    "dispatcher: { project_dir: /tmp }",
    "dispatcher.project_dir: unknown key, did you mean projects_dir?",
  ],
  ["broken YAML", "dispatcher: [", "[CONFIG_INVALID]"],
  [
    "a long state directory",
    `dispatcher: { projects_dir: p }\nstate_dir: ${"/tmp/x".repeat(20)}`,
    "[STATE_DIR_TOO_LONG]",
  ],
])("start with %s says what is wrong and ends with 1", async (_what, yaml, message) => {
  if (yaml !== null) await writeFile(join(dir, "work", "ccl-queue.yaml"), yaml);
  expect(await run("start")).toEqual({ code: 1, output: expect.stringContaining(message) });
});

test("help names every verb", async () => {
  const { code, output } = await run("--help");
  expect(code).toBe(0);
  for (const verb of ["start", "init", "demo"]) expect(output).toMatch(new RegExp(`^ {2}${verb}\\b`, "m"));
});
