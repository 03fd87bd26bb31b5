import { timesOf } from "./agents/stamps.js";
import { until } from "./agents/until.js";
import { idealS, openWaves, tasks, waveOf } from "./agents/wave.js";

const SIZES = {
  whole: { count: 20, sessions: 10, startS: 1, workS: 10 },
  smoke: { count: 4, sessions: 2, startS: 0.1, workS: 1 },
};
const CRITICAL = { whole: 3, smoke: 1 };
/** How long a critical task may take to the head of the queue. */
const GRACE_MS = 1_000;

/** @typedef {import("./agents/stamps.js").Stamp} Stamp */

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "makespan-critical",
  title:
    "20 tasks in 10 sessions, and 3 critical ones dropped in the middle of the first wave: to the last agent's Stop",
  against: "the ideal: three times an agent's start (1 s) and its work (10 s)",
  async run({ size, signal }) {
    const { count, sessions, startS, workS } = SIZES[size];
    const habits = /** @type {const} */ ({ after: "stays", startS, workS });
    const { stamps, droppedMs, criticalMs } = await measure(
      { ...SIZES[size], habits, criticals: CRITICAL[size] },
      signal,
    );
    const { makespanS, utilisation } = waveOf(stamps, droppedMs, sessions);
    const ideal = idealS(count + CRITICAL[size], sessions, habits);
    const ahead = aheadOf(stamps, criticalMs);
    return {
      unit: "s",
      ours: [makespanS],
      theirs: [ideal],
      bounds: [
        { what: "against the ideal", value: makespanS / ideal, is: "at most", limit: 1.03, unit: "x" },
        { what: "other tasks launched before a critical one", value: ahead, is: "at most", limit: 0, unit: "tasks" },
      ],
      notes: [
        `The agent stays open after its Stop, as Claude Code does, so that between two waves at least half a second is waited on purpose: without it, ${(makespanS - 1).toFixed(1)} s.`,
        `A utilisation of ${utilisation.toFixed(0)} %, of at most ${utilisationAtBest(count + CRITICAL[size], sessions)} % as the last wave fills 3 sessions of 10.`,
        "What it replaces: there, a critical task dropped behind 20 others with all sessions busy ran as the last of the 21.",
        "One round, as it takes so long.",
      ],
    };
  },
};

/**
 * @param {{ count: number, sessions: number, criticals: number, habits: import("./agents/stamps.js").Habits }} of
 * @param {AbortSignal} signal
 */
async function measure({ count, sessions, criticals, habits }, signal) {
  const waves = await openWaves(sessions, habits, signal);
  try {
    const droppedMs = waves.drop(tasks("plain", count));
    const middleMs = droppedMs + 500 * (habits.startS + habits.workS);
    await until(() => Date.now() >= middleMs, "the middle of the first wave", signal);
    const urgent = tasks("critical", criticals).map((draft) => ({
      ...draft,
      header: "---\npriority: critical\n---\n",
    }));
    const criticalMs = waves.drop(urgent);
    return { stamps: await waves.over(), droppedMs, criticalMs };
  } finally {
    await waves.close();
  }
}

/**
 * How many others were launched while a critical task waited.
 * @param {readonly Stamp[]} stamps @param {number} criticalMs
 */
function aheadOf(stamps, criticalMs) {
  const isCritical = (/** @type {Stamp} */ { firstLine }) => firstLine.startsWith("critical");
  const launchedMs = Math.max(...timesOf(stamps.filter(isCritical), "start"));
  const others = timesOf(
    stamps.filter((stamp) => !isCritical(stamp)),
    "start",
  );
  return others.filter((at) => at > criticalMs + GRACE_MS && at < launchedMs).length;
}

/** @param {number} count @param {number} sessions */
const utilisationAtBest = (count, sessions) => Math.round((100 * count) / (sessions * Math.ceil(count / sessions)));
