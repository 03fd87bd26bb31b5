import { execa } from "execa";
import { expect, test } from "vitest";
import { BENCHMARKS } from "../../bench/list.js";

const BENCH = new URL("../../scripts/bench.js", import.meta.url).pathname;

test.each(Object.keys(BENCHMARKS))("the benchmark %s still measures something", async (name) => {
  const { stdout } = await execa(process.execPath, [BENCH, name, "--smoke"]);
  const figures = stdout.split("\n").filter((line) => /^ {2}ours: /.test(line));
  expect(figures).toHaveLength(1);
  // A difference of two, each of them small, may be anything.
  expect(figures[0]).toMatch(/^ {2}ours: -?\d+(\.\d+)?(e-\d+)? \S/);
  expect(stdout).not.toMatch(/\b(NaN|Infinity|undefined)\b/);
});

test("of a burst of tasks, all are done once while Redis is killed", async () => {
  const few = ["--tasks", "60", "--kills", "2", "--sessions", "4", "--assert"];
  const { stdout } = await execa(process.execPath, [BENCH, "redis-kills", ...few]);
  expect(stdout).toContain("60 of 60 are done, 0 failed, 0 were taken twice.\nRedis was killed 2 times.");
}, 120_000);
