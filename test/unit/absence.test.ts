import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { Absence } from "../../src/workers/run/absence.ts";

/** Longer than a project is away that was moved for a moment. */
const LONG_MS = 11_000;

let project: string;
let absence: Absence;
const isTakenAway = async () => await absence.isTakenAway({ project, name: "x.md" });
const leave = () => renameSync(project, `${project}-away`);
const comeBack = () => renameSync(`${project}-away`, project);

beforeEach(() => {
  const dir = mkdtempSync(join(tmpdir(), "ccl-absence-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  project = join(dir, "alpha");
  mkdirSync(join(project, ".agent-queue", "inbox"), { recursive: true });
  writeFileSync(join(project, ".agent-queue", "inbox", "x.md.dispatched"), "Do it.\n");
  absence = new Absence("kabcdefghi-1");
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
});

test("a task whose project is gone is taken away once that has lasted", async () => {
  leave();
  expect(await isTakenAway()).toBe(false);
  vi.advanceTimersByTime(LONG_MS);
  expect(await isTakenAway()).toBe(true);
});

test("a project that was back between two looks is not gone for as long as both tell", async () => {
  leave();
  expect(await isTakenAway()).toBe(false);
  // The file clock ticks every few ms.
  const until = Date.now() + 20;
  while (Date.now() < until);
  comeBack();
  leave();
  vi.advanceTimersByTime(LONG_MS);
  expect(await isTakenAway()).toBe(false);
  vi.advanceTimersByTime(LONG_MS);
  expect(await isTakenAway()).toBe(true);
});

test("a project that is there again is not gone", async () => {
  leave();
  await isTakenAway();
  comeBack();
  vi.advanceTimersByTime(LONG_MS);
  expect(await isTakenAway()).toBe(false);
});

test("a claim that is gone from a project that is there was taken away at once", async () => {
  expect(await isTakenAway()).toBe(false);
  rmSync(join(project, ".agent-queue", "inbox", "x.md.dispatched"));
  expect(await isTakenAway()).toBe(true);
});
