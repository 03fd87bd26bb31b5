import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { TasksOut } from "../../src/ledger/tasks-out.ts";

let project: string;
let inbox: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "ccl-queue-unit-"));
  onTestFinished(() => rmSync(project, { recursive: true }));
  inbox = join(project, ".agent-queue", "inbox");
  mkdirSync(inbox, { recursive: true });
});

const put = (...names: string[]) => names.forEach((name) => void writeFileSync(join(inbox, name), "x"));
const isOut = async (out = new TasksOut()) => await out.has({ project, name: "x.md" });

test.each([
  [["x.md", "x.md.delegated"], true],
  [["x.md.dispatched", "x.md.delegated"], true],
  [["x.md"], false],
  [["x.md.delegated"], false],
  [["y.md", "y.md.delegated", "x.md"], false],
  [[], false],
])("an inbox with %j: the task is out: %j", async (names, expected) => {
  put(...names);
  expect(await isOut()).toBe(expected);
});

test("an inbox that is not there, or is a file, has none", async () => {
  rmSync(inbox, { recursive: true });
  expect(await isOut()).toBe(false);
  writeFileSync(inbox, "x");
  expect(await isOut()).toBe(false);
});

test("an inbox stands as it did when it was first asked about", async () => {
  const out = new TasksOut();
  expect(await isOut(out)).toBe(false);
  put("x.md", "x.md.delegated");
  expect(await isOut(out)).toBe(false);
  expect(await isOut()).toBe(true);
});
