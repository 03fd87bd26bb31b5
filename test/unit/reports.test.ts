import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { type Sighting, sight } from "../../src/ledger/completeness.ts";
import { Reports } from "../../src/producers/reports.ts";

let reports: Reports;
beforeEach(() => {
  reports = new Reports();
});

test("renames are all that was told of a name until a change is", () => {
  reports.tell("a.md", "rename");
  reports.tell("a.md", "rename");
  reports.tell("b.md", "rename");
  reports.tell("b.md", "change");
  reports.tell("c.md", "change");
  reports.tell("c.md", "rename");
  expect([...reports.take()]).toEqual([
    ["a.md", "renames"],
    ["b.md", "changes"],
    ["c.md", "changes"],
  ]);
});

test("to find a name changes nothing of what is told of it, before or after", () => {
  reports.tell("a.md", "rename");
  reports.find("a.md");
  reports.find("b.md");
  reports.tell("b.md", "rename");
  reports.find("c.md");
  expect([...reports.take().values()]).toEqual(["renames", "renames", "nothing"]);
});

test("what was told counts for one look: then it may have changed, unless nothing was told", () => {
  reports.tell("a.md", "rename");
  reports.find("b.md");
  const taken = reports.take();
  for (const name of ["a.md", "b.md", "c.md"]) reports.putBack(name, taken);
  reports.tell("b.md", "rename");
  const told = reports.take();
  expect(["a.md", "b.md", "c.md"].map((name) => told.get(name))).toEqual(["changes", "renames", "nothing"]);
});

test("a name is there until it is taken", () => {
  reports.find("a.md");
  expect([reports.has("a.md"), reports.has("b.md")]).toEqual([true, false]);
  reports.take();
  expect(reports.has("a.md")).toBe(false);
});

/** What is found of files that all came in the same tick of the file clock. */
async function sightings(names: readonly string[]): Promise<Sighting[]> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-test-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  await writeFile(join(dir, "any.md"), "");
  const one = await sight(join(dir, "any.md"));
  if (one === null) throw new Error("any.md is gone");
  return names.map((name) => ({ ...one, name }));
}

test("names stand in the order in which they were told of, though a listing found them in another", async () => {
  for (const name of ["a.md", "b.md", "c.md", "10.md", "9.md"]) reports.find(name);
  for (const name of ["c.md", "a.md", "b.md", "c.md"]) reports.tell(name, "rename");
  const order = reports.arrivalOrder(reports.take());
  const found = await sightings(["10.md", "a.md", "b.md", "9.md", "c.md"]);
  expect(found.sort(order).map(({ name }) => name)).toEqual(["c.md", "a.md", "b.md", "9.md", "10.md"]);
});
