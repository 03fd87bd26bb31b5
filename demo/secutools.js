#!/usr/bin/env node
/**
 * A stand-in for secutools: speaks its API (docs/secutools-api.yaml), with no account and no model behind it.
 *
 *     secutools.js [--host 127.0.0.1] [--port 8430] [--key demo-key] [--delay MS] [--latency MS] [--seed N]
 *                  [--errors 0.1] [--limits 0.05] [--drops 0.02] [--retry-after SECONDS] [--log FILE]
 *
 * A job takes --delay milliseconds, and `500-2000` is a random time between; an answer takes --latency. --errors,
 * --limits and --drops are probabilities: of a 5xx, of a 429 with Retry-After, of no answer at all. --log gets a line
 * of JSON for each accepted job and each answer. A job does what lines like `secutools: fail quota No credit left` in
 * its prompt tell it (all of them: secutools/script.js).
 */
import { readOptions } from "./secutools/options.js";
import { startSecutools } from "./secutools/server.js";

/** @param {number} code @param {unknown} error @returns {never} */
function refuse(code, error) {
  console.error(`secutools: ${error instanceof Error ? error.message : error}`);
  process.exit(code);
}

function readCommandLine() {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    return refuse(2, error);
  }
}

const options = readCommandLine();
const platform = await startSecutools(options).catch((error) => refuse(1, error));

async function end() {
  const { accepted, replays, duplicates } = platform.stats();
  await platform.close();
  console.log(`Ended. Jobs accepted: ${accepted}; submitted again: ${replays}; done twice: ${duplicates}.`);
}
process.once("SIGINT", end);
process.once("SIGTERM", end);
// Whoever forked us hears where we are, and we end with them.
process.once("disconnect", end);
process.send?.({ url: platform.url, key: platform.key });

console.log(`A stand-in for secutools listens at ${platform.url}. It keeps its jobs in memory and does no work.

  export SECUTOOLS_URL=${platform.url} SECUTOOLS_API_KEY=${platform.key}

A line such as "secutools: fail quota No credit left" in a prompt tells it how the job ends. Ctrl-C ends it.`);
