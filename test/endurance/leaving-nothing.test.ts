import { execa } from "execa";
import { expect, test } from "vitest";
import { z } from "zod";

const BENCH = new URL("../../bench/endurance.js", import.meta.url).pathname;
const TASKS = 120;

const sample = z.object({
  done: z.number(),
  rssMiB: z.number().positive(),
  heapMiB: z.number().positive(),
  handles: z.number().positive(),
  timers: z.number().positive(),
  files: z.number().positive(),
  keys: z.number().positive(),
  runs: z.number(),
});
const report = z.object({ samples: z.array(sample), after: sample, grown: z.array(z.string()) });

/** So many tasks are too few for a memory that is tidied now and then: of it, only the long run says more. */
const MOST_RSS_MIB = 350;

test(`${TASKS} tasks leave nothing behind in a daemon that goes on: no handle, timer, file, key or run`, async () => {
  const { stdout } = await execa(process.execPath, [BENCH, "--tasks", String(TASKS), "--json"]);
  const { samples, after, grown } = report.parse(JSON.parse(stdout));
  expect(grown.filter((line) => !/^(?:RSS|heap) /.test(line))).toEqual([]);
  expect(Math.max(...samples.map(({ rssMiB }) => rssMiB))).toBeLessThan(MOST_RSS_MIB);
  expect(after.done).toBe(TASKS + 1);
  // They were there, so they went.
  expect(Math.max(...samples.map(({ runs }) => runs))).toBeGreaterThan(10);
  expect(Math.max(...samples.map(({ keys }) => keys))).toBeGreaterThan(after.keys);
}, 180_000);
