import { createHash } from "node:crypto";
import { attemptsOf } from "./attempts.js";
import { errorCodeOf, readFinished } from "./finished.js";
import { groupBy } from "./group.js";
import { wasCalled } from "./journal.js";
import { tokenOf } from "./plans.js";

/**
 * A promise that was not kept.
 * @typedef {{ promise: string, token: string | null, detail: string }} Breach
 *
 * @typedef {import("./evidence.js").Evidence} Evidence
 * @typedef {import("./journal.js").Drop} Drop
 * @typedef {import("./attempts.js").Attempt} Attempt
 *
 * @typedef {object} Case the evidence, sorted by tasks
 * @property {Evidence} evidence
 * @property {ReadonlyMap<string, Drop>} drops
 * @property {readonly Attempt[]} attempts
 * @property {(token: string) => readonly Attempt[]} attemptsAt
 * @property {(token: string) => readonly import("./evidence.js").Accepted[]} acceptedOf
 */

/** Ends of a run that a fault can lead to, whatever the task says, once all attempts are used up. */
const BY_FAULT = ["RUN_CRASHED", "RUN_TIMED_OUT", "RUN_NOT_SUBMITTED"];
/** A daemon that was made to end so soon after an answer, or before it, has not heard of it for sure. */
const HEARD_MS = 2_000;
/** An agent that lived on for so long after its work was done has told of it. */
const TOLD_MS = 1_000;

/**
 * Every breach of the promise that the evidence shows. It knows nothing of the queue but what its documents promise.
 * @param {Evidence} evidence
 * @returns {Breach[]}
 */
export function findBreaches(evidence) {
  const drops = new Map(evidence.drops.map((drop) => [drop.token, drop]));
  const attempts = attemptsOf(evidence.agents, evidence.lives, drops);
  const byToken = groupBy(attempts, ({ token }) => token);
  const accepted = groupBy(evidence.accepted, (job) => ownerOf(job, evidence.drops)?.token ?? null);
  /** @type {Case} */
  const all = {
    evidence,
    drops,
    attempts,
    attemptsAt: (token) => byToken.get(token) ?? [],
    acceptedOf: (token) => accepted.get(token) ?? [],
  };
  return [
    ...evidence.drops.flatMap((drop) => [
      ...placeOf(drop, evidence),
      ...launchesOf(drop, all),
      ...platformOf(drop, all),
    ]),
    ...evidence.files.flatMap((file) => (file.folder === "inbox" ? [] : endingOf(file, all))),
    ...runsOf(all),
    ...(accepted.get(null) ?? []).map(({ id }) =>
      breach("nothing else", null, `the platform's ${id} is nobody's text`),
    ),
    ...leftovers(evidence),
  ];
}

/** @param {string} promise @param {string | null} token @param {string} detail @returns {Breach} */
const breach = (promise, token, detail) => ({ promise, token, detail });

/** Each task is in one place in the end, and is over. @param {Drop} drop @param {Evidence} evidence */
function placeOf({ token, canBeAbsent }, { files }) {
  const copies = files.filter(({ text }) => tokenOf(text) === token);
  const places = copies.map(({ folder, name, text }) => `${folder}/${name} (${saidOf(text)})`).join(", ");
  if (copies.length > 1) return [breach("once", token, `it is in several places: ${places}`)];
  if (copies.length === 0) return canBeAbsent ? [] : [breach("not lost", token, "it is nowhere")];
  return copies.some(({ folder }) => folder === "inbox") ? [breach("over", token, `it is still there: ${places}`)] : [];
}

/** What a file's footer says of its end. @param {string} text */
function saidOf(text) {
  const { rows } = readFinished(text);
  return ["ccl-queue", "run", "error", "provider", "finished"].map((name) => rows.get(name) ?? "-").join("; ");
}

/** What is over is the author's text, whole, and ended as somebody can witness. @param {import("./evidence.js").Found} file @param {Case} all */
function endingOf({ project, folder, name, text }, all) {
  const where = `${project}/${folder}/${name}`;
  if (name.startsWith(".")) return [breach("nothing left", null, `${where} is left`)];
  const finished = readFinished(text);
  const drop = all.drops.get(tokenOf(text) ?? "");
  if (drop === undefined) return [breach("nothing else", null, `${where} is nobody's text`)];
  const { token } = drop;
  if (finished.before !== drop.text) return [breach("its text", token, `${where} is not what was dropped`)];
  if (finished.rows.size === 0) return [breach("its footer", token, `${where} has no footer`)];
  return folder === "done" ? doneOf(drop, finished, all) : failedOf(drop, finished, all);
}

/** @param {Drop} drop @param {import("./finished.js").Finished} finished @param {Case} all */
function doneOf({ token, kind }, { rows }, { attemptsAt, acceptedOf }) {
  if (kind === "not valid") return [breach("done", token, "it cannot be run, and is done")];
  const [, remote] = / \((.+)\)$/.exec(rows.get("provider") ?? "") ?? [];
  if (remote !== undefined) {
    const isTheirs = acceptedOf(token).some(({ id }) => id === remote);
    return isTheirs ? [] : [breach("done", token, `the platform has not accepted ${remote} for it`)];
  }
  const run = rows.get("run");
  const attempt = attemptsAt(token).find((one) => one.run === run);
  if (attempt === undefined) return [breach("done", token, `no agent was launched for run ${run}`)];
  if (!attempt.hasSubmitted || !attempt.isWhole) return [breach("done", token, `${run} did not read the whole of it`)];
  return attempt.stoppedAt === null ? [breach("done", token, `the agent of ${run} had not finished`)] : [];
}

/** With a reason, and one that it can have. @param {Drop} drop @param {import("./finished.js").Finished} finished @param {Case} all */
function failedOf({ token, mayFailAs, canBeCancelled }, finished, { evidence }) {
  const code = errorCodeOf(finished) ?? "";
  if (mayFailAs.includes(code) || (code === "TASK_CANCELLED" && canBeCancelled)) return [];
  const attempts = Number(finished.rows.get("attempts"));
  if (BY_FAULT.includes(code) && attempts === evidence.attempts) return [];
  return [
    breach("a reason", token, `nothing made it fail as "${finished.rows.get("error") ?? ""}" (attempts: ${attempts})`),
  ];
}

/** One agent an attempt, one at a time, and none for what is done or was taken away. @param {Drop} drop @param {Case} all */
function launchesOf({ token, kind, removedAt, retriedAt }, { attemptsAt }) {
  const attempts = attemptsAt(token);
  const isRetriedBetween = (/** @type {number} */ from, /** @type {number} */ to) =>
    retriedAt.some((at) => at >= from && at <= to);
  const pairs = attempts.slice(1).map((after, index) => ({ before: attempts[index] ?? after, after }));
  const together = pairs.filter(({ before, after }) => before.lastSeenAt > after.startedAt);
  const again = pairs.filter(
    ({ before: { stoppedAt, lastSeenAt }, after: { startedAt } }) =>
      stoppedAt !== null && lastSeenAt - stoppedAt > TOLD_MS && !isRetriedBetween(stoppedAt, startedAt),
  );
  const late = attempts.filter(({ startedAt }) => removedAt !== null && startedAt > removedAt);
  const torn = attempts.filter(({ isWhole }) => !isWhole);
  return [
    ...together.map(({ before, after }) => breach("alone", token, `${before.run} and ${after.run} lived at a time`)),
    ...again.map(({ before, after }) =>
      breach("not again", token, `${after.run} came though ${before.run} had done it`),
    ),
    ...late.map(({ run }) => breach("not withdrawn", token, `${run} was launched after its file was taken away`)),
    ...torn.map(({ run }) => breach("its text", token, `${run} was not given what was dropped`)),
    ...(kind === "not valid" && attempts.length > 0 ? [breach("its text", token, "it cannot be run, and was")] : []),
  ];
}

/** One job of the platform an attempt, and no agent beside it. @param {Drop} drop @param {Case} all */
function platformOf({ token, retriedAt }, { evidence, acceptedOf, attemptsAt }) {
  const jobs = acceptedOf(token);
  const keys = new Set(jobs.map(({ key }) => key));
  if (keys.size !== jobs.length) return [breach("one job", token, `the platform has two jobs for one key`)];
  // Of what it took without an answer that arrived, nobody can know.
  const known = jobs.flatMap(({ key }) => {
    const last = evidence.answers.findLast((answer) => answer.key === key);
    if (last === undefined || last.status >= 300) return [];
    const isUnheard = evidence.stops.some(({ at, until }) => last.at > at - HEARD_MS && last.at < until);
    return isUnheard ? [] : [{ key, last }];
  });
  if (known.length > 1 + retriedAt.length)
    return [breach("one job", token, `the platform has ${known.length} jobs: ${[...keys].join(", ")}`)];
  return known.flatMap(({ key, last }) => {
    const beside = attemptsAt(token).find(
      ({ startedAt }) => startedAt > last.at && !retriedAt.some((at) => at >= last.at && at <= startedAt),
    );
    return beside ? [breach("one job", token, `${beside.run} was launched while the platform had ${key}`)] : [];
  });
}

/** No run is launched twice, and none reads what nobody wrote. @param {Case} all */
function runsOf({ attempts }) {
  const byRun = groupBy(attempts, ({ run }) => run);
  const twice = [...byRun].filter(([, launches]) => launches.length > 1);
  const strange = attempts.filter(({ token }) => token === null);
  return [
    ...twice.map(([run, [first, ...more]]) =>
      breach("one launch", first?.token ?? null, `${run} was launched ${more.length + 1} times`),
    ),
    ...strange.map(({ run }) => breach("nothing else", null, `${run} was given nobody's text`)),
  ];
}

/** @param {Evidence} evidence */
function leftovers({ files, ghosts, processes, tagged }) {
  const inInbox = files.filter(({ folder, text }) => folder === "inbox" && tokenOf(text) === null);
  return [
    ...inInbox.map(({ project, name }) => breach("nothing left", null, `${project}/inbox/${name} is left`)),
    ...ghosts.map((path) => breach("nothing left", null, `made where a project was away: ${path}`)),
    ...processes.map((process) => breach("nothing left", null, `process ${process} is left`)),
    ...tagged.map((session) => breach("nothing left", null, `session ${session} is left with its tag`)),
  ];
}

/** Whose text the platform was given. @param {import("./evidence.js").Accepted} job @param {readonly Drop[]} drops */
function ownerOf({ project, task, contentSha256 }, drops) {
  return drops.find(
    (drop) =>
      drop.project === project &&
      wasCalled(drop, task) &&
      contentSha256 === sha256(JSON.stringify([project, task, drop.prompt])),
  );
}

/** @param {string} text */
const sha256 = (text) => createHash("sha256").update(text).digest("hex");
