/**
 * The whole queue under random faults, and an independent check of what it promises.
 *
 *     npm run chaos -- [--minutes N] [--seed S] [--sessions N] [--redis outside|embedded] [--hosts 1|2]
 *                      [--only FAULT[,FAULT…]] [--without FAULT[,FAULT…]]
 *
 * The same seed makes the same choices; at which moments they meet the queue is up to the machine. Where --redis is not
 * given, the seed says it too. Ends with 1 when the promise was broken, and then keeps the directory. What is promised,
 * and where that ends, is in docs/reliability.md.
 */
import { readOptions } from "../chaos/options.js";
import { runChaos } from "../chaos/run.js";
import { tableOf } from "../chaos/table.js";
import { orExit } from "./failure.js";
import { setUp } from "./setup.js";

const options = await orExit(() => readOptions(process.argv.slice(2)));
await setUp();

const { minutes, seed, sessions, hosts, isEmbedded } = options;
const redis = isEmbedded ? "embedded" : "outside";
console.log(
  `seed ${seed}: ${minutes} minutes, ${sessions} sessions, ${hosts} host${hosts > 1 ? "s" : ""}, Redis ${redis}`,
);

const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort());
const path = process.env["PATH"] ?? "";
const result = await runChaos({ ...options, path }, interruption.signal).catch((error) => {
  if (interruption.signal.aborted) process.exit(130);
  throw error;
});

const { breaches, rows, counts, surprises, settledMs } = result;
console.log(`\n${tableOf(rows)}\n`);
console.log(
  Object.entries(counts)
    .map(([name, count]) => `${name}: ${count}`)
    .join(", "),
);
console.log(`the last task was over ${(settledMs / 1000).toFixed(1)} s after the last fault`);
for (const surprise of surprises) console.log(surprise);
if (breaches.length === 0) {
  result.remove();
  console.log("\nThe promise held.");
} else {
  for (const { promise, token, detail } of breaches) console.log(`broken (${promise}): ${token ?? "-"}: ${detail}`);
  console.log(`\nThe promise was broken ${breaches.length} times. Look into ${result.dir}, and at seed ${seed}.`);
  process.exitCode = 1;
}
