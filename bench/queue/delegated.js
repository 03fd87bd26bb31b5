import { join } from "node:path";
import { inboxOf } from "./daemon.js";
import { namesOf, writeDrafts } from "./drafts.js";
import { fromSource } from "./from-source.js";
import { inBatches, payloadOf } from "./payloads.js";
import { until } from "./until.js";

const WORKSPACE = "bench";
const MINUTE_MS = 60_000;
const BATCH = 100;
/** A job that the platform has for long is asked about every ten poll intervals at most. */
const ALL_DUE_MS = 20 * MINUTE_MS;

/**
 * @typedef {object} DelegatedOptions
 * @property {string} dir for the project
 * @property {string} socket of Redis
 * @property {{ url: string, key: string }} platform
 * @property {number} jobs
 * @property {number} concurrency requests under way at once
 * @property {AbortSignal} signal
 */

/**
 * So many tasks that are out, with their markers and their jobs, and the reaper that looks after them. It has no ticks of
 * its own: they are asked for. Close it in any case.
 * @param {DelegatedOptions} options
 */
export async function openDelegated({ dir, socket, platform, jobs, concurrency, signal }) {
  const source = await loadParts();
  const shared = { address: { socket }, workspace: WORKSPACE, onError: warn };
  const settings = settingsOf(platform, concurrency);
  const queues = new source.TaskQueues({ ...shared, retentionMs: 60 * MINUTE_MS });
  const counters = new source.Counters(shared);
  const fetcher = new source.Fetcher({
    ...shared,
    queue: source.DELEGATED_QUEUE,
    payload: source.delegatedPayload,
    token: "secutools",
    ratePerSecond: settings.rateLimit,
  });
  const client = new source.Secutools(settings);
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const events = new source.TaskEvents();
  const parts = { settings, client, queues, fetcher, counters, events, now, onError: warn };
  const worker = new source.DelegationWorker(parts);
  const reaper = new source.Reaper({ ...shared, parts, onUnsent: (jobs) => worker.resume(jobs) });
  /** The platform's names for the tasks that it has and whose jobs know of it. @type {string[]} */
  let remotes = [];
  const areOut = async () => {
    remotes = (await fetcher.active()).flatMap(({ payload }) => payload.remote?.id ?? []);
    return remotes.length === jobs;
  };
  const close = async () => {
    await worker.stop();
    await reaper.stop();
    for (const service of [fetcher, counters, queues]) await service.stop();
    await client.close();
  };
  try {
    await Promise.all([queues.start(), fetcher.start()]);
    await handIn(source, queues, { inbox: inboxOf(dir), jobs, signal });
    await worker.start();
    await until("all tasks are out", areOut, signal);
    return {
      remotes,
      /** One tick at a time when each of them is due. */
      async tick() {
        aheadMs += ALL_DUE_MS;
        await reaper.runOnce(signal);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function loadParts() {
  const names = [
    ...["queue/task-queues", "queue/counters", "queue/fetcher", "queue/payload", "queue/names", "core/events"],
    ...["workers/secutools/client", "workers/delegation-worker", "workers/reaper", "ledger/completeness"],
  ];
  const load = await fromSource("reaper", names);
  return {
    .../** @type {typeof import("../../src/queue/task-queues.ts")} */ (await load("queue/task-queues")),
    .../** @type {typeof import("../../src/queue/counters.ts")} */ (await load("queue/counters")),
    .../** @type {typeof import("../../src/queue/fetcher.ts")} */ (await load("queue/fetcher")),
    .../** @type {typeof import("../../src/queue/payload.ts")} */ (await load("queue/payload")),
    .../** @type {typeof import("../../src/queue/names.ts")} */ (await load("queue/names")),
    .../** @type {typeof import("../../src/core/events.ts")} */ (await load("core/events")),
    .../** @type {typeof import("../../src/workers/secutools/client.ts")} */ (await load("workers/secutools/client")),
    .../** @type {typeof import("../../src/workers/delegation-worker.ts")} */ (await load("workers/delegation-worker")),
    .../** @type {typeof import("../../src/workers/reaper.ts")} */ (await load("workers/reaper")),
    .../** @type {typeof import("../../src/ledger/completeness.ts")} */ (await load("ledger/completeness")),
  };
}

/** @param {{ url: string, key: string }} platform @param {number} concurrency */
function settingsOf({ url, key }, concurrency) {
  return /** @type {const} */ ({
    ...{ url, apiKey: key, concurrency, rateLimit: 100_000, pollIntervalMs: MINUTE_MS, maxAgeMs: 1e6 * MINUTE_MS },
    auto: { low: "gpu", medium: "gemini", high: "claude-api", none: "gemini" },
  });
}

/**
 * @param {Awaited<ReturnType<typeof loadParts>>} source
 * @param {import("../../src/queue/task-queues.ts").TaskQueues} queues
 * @param {{ inbox: string, jobs: number, signal: AbortSignal }} options
 */
async function handIn({ sight, fingerprint }, queues, { inbox, jobs, signal }) {
  writeDrafts(inbox, jobs)();
  const routed = /** @type {const} */ ({ reason: "no complexity_hint", attempts: 0, ending: null, provider: "gemini" });
  const handInOne = async (/** @type {number} */ number, /** @type {string} */ name) => {
    const sighting = await sight(join(inbox, name));
    if (sighting === null) throw new Error(`${name} is gone`);
    const task = { ...payloadOf(number, join(inbox, "..", "..")), fingerprint: fingerprint(sighting) };
    await queues.toDelegated([{ id: `task${number}`, payload: { ...task, ...routed, remote: null } }]);
  };
  for (const batch of inBatches([...namesOf(jobs).entries()], BATCH)) {
    signal.throwIfAborted();
    await Promise.all(batch.map(async ([number, name]) => await handInOne(number, name)));
  }
}

/** @param {unknown} error */
function warn(error) {
  console.error(error);
}
