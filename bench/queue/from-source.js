import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "rolldown";
import config from "../../rolldown.config.js";

const path = (/** @type {string} */ file) => fileURLToPath(new URL(file, import.meta.url));

/**
 * Builds parts of the program for themselves, as dist/ has them all in one. Returns what brings in each by its name in
 * src/; what they share is there once.
 * @param {string} name of the benchmark
 * @param {readonly string[]} parts such as queue/task-queues
 * @returns {Promise<(part: string) => Promise<unknown>>}
 */
export async function fromSource(name, parts) {
  const dir = path(`../../node_modules/.ccl-bench/${name}`);
  const input = Object.fromEntries(parts.map((part) => [part, path(`../../src/${part}.ts`)]));
  const names = { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" };
  await build({ ...config, input, output: { dir, cleanDir: true, sourcemap: true, ...names } });
  return async (part) => await import(pathToFileURL(`${dir}/${part}.mjs`).href);
}
