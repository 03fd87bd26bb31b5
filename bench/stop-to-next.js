import { bareLoop } from "./agents/bare-loop.js";
import { openQueue } from "./agents/queue.js";
import { sharesOf } from "./agents/shares.js";
import { agentOf, timesOf, untilEnded } from "./agents/stamps.js";
import { figuresOf } from "./figures.js";

const SIZES = {
  whole: { rounds: 5, backlog: 6, stayingBacklog: 3 },
  smoke: { rounds: 1, backlog: 3, stayingBacklog: 3 },
};
/** What a Stop has to stand for before it counts as the end, while the agent is there: IDLE_MS of settling.ts. */
const SETTLE_MS = 500;
const LIMIT_MS = 250;
/** Long enough that the backlog waits when the first one stops. */
const ENDS = /** @type {const} */ ({ after: "ends", startS: 0, workS: 0.2 });
const STAYS = /** @type {const} */ ({ ...ENDS, after: "stays" });

/** @type {import("./benchmark.js").Benchmark} */
export const benchmark = {
  name: "stop-to-next",
  title: "from an agent's Stop to the launch of the next task's agent in the same session",
  against: "a loop of bash in a pane that starts the same agent again and again",
  async run({ size, signal }) {
    const { rounds, backlog, stayingBacklog } = SIZES[size];
    const ending = await openSession(ENDS, signal);
    const staying = await openSession(STAYS, signal).catch(async (error) => {
      await ending.close();
      throw error;
    });
    try {
      /** @type {number[]} */ const ours = [];
      /** @type {number[]} */ const theirs = [];
      /** @type {number[]} */ const open = [];
      await ending.work("warm-up", backlog);
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await ending.work(`task-${round}`, backlog));
        theirs.push(gapIn(await bareLoop(backlog, ENDS, signal)));
        open.push(await staying.work(`task-${round}`, stayingBacklog));
      }
      return {
        unit: "ms",
        ours,
        theirs,
        bounds: [{ what: "median", value: figuresOf(ours).median, is: "at most", limit: LIMIT_MS, unit: "ms" }],
        notes: notesOf(figuresOf(open).median, ending.shares()),
      };
    } finally {
      await staying.close();
      await ending.close();
    }
  },
};

/** A queue of one session. @param {import("./agents/stamps.js").Habits} habits @param {AbortSignal} signal */
async function openSession(habits, signal) {
  const queue = await openQueue({ sessions: 1, agent: (log) => agentOf(log, habits), signal });
  let dropped = 0;
  return {
    close: queue.close,
    shares: () => sharesOf(queue),
    /** Works on a backlog; the median gap in it. @param {string} name @param {number} count */
    async work(name, count) {
      queue.drop(Array.from({ length: count }, (_, index) => ({ name: `${name}-${index}` })));
      dropped += count;
      const stamps = (await untilEnded(queue.log, dropped, signal)).slice(-2 * count);
      await queue.rest();
      return gapIn(stamps);
    },
  };
}

/**
 * From an end to the next start, the median of all but the first.
 * @param {readonly import("./agents/stamps.js").Stamp[]} stamps of one session
 */
function gapIn(stamps) {
  const starts = timesOf(stamps, "start").slice(1);
  const ends = timesOf(stamps, "end").slice(0, starts.length);
  return figuresOf(starts.map((at, index) => at - (ends[index] ?? Number.NaN)).slice(1)).median;
}

/** @param {number} openMs @param {import("./agents/shares.js").Shares} shares */
function notesOf(openMs, { finishMs, handOverMs, launchMs }) {
  const ms = (/** @type {number} */ value) => `${value.toFixed(0)} ms`;
  return [
    "The agent ends by itself after its Stop, so nothing is waited for but its end.",
    `One that stays open after its Stop, as Claude Code does: ${ms(openMs)}, of which ${ms(SETTLE_MS)} are waited on purpose: a task in the background would wake it again.`,
    `Where the time goes: ${ms(finishMs)} from the Stop until the task is finalised and its run closed, ${ms(handOverMs)} until the session is a shell again and the next run has begun, ${ms(launchMs)} until its agent runs.`,
    "A sample is the median of the gaps in a backlog, without the first: its rest may still be coming in then.",
  ];
}
