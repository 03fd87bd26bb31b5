/**
 * What a task says, and how it may end.
 * @typedef {object} Plan
 * @property {string} kind
 * @property {string} text the whole file
 * @property {string} prompt what an agent or the platform is to read of it
 * @property {readonly string[]} mayFailAs error codes that its script leads to
 * @property {boolean} isSteady whether only a fault makes an attempt of it fail
 *
 * @typedef {object} Kind
 * @property {string} name
 * @property {number} weight
 * @property {string[]} [header]
 * @property {(random: import("./random.js").Random) => string[]} lines
 * @property {string[]} [mayFailAs]
 * @property {boolean} [isSteady] true unless said
 */

const DELEGATED = ["allow_delegation: true", "preferred_ai: gemini"];
const LOCAL = "agent: work 100ms";
/** How many lines a long task has besides. */
const MAX_LINES = 200;

/** @type {readonly Kind[]} */
const KINDS = [
  { name: "quick", weight: 30, lines: () => ["agent: work 50ms"] },
  { name: "work", weight: 25, lines: (random) => [`agent: work ${random.between(1_000, 3_000)}ms`] },
  { name: "urgent", weight: 4, header: ["priority: critical"], lines: () => [LOCAL] },
  { name: "slow start", weight: 3, lines: () => ["agent: start 1s", LOCAL] },
  { name: "background", weight: 5, lines: () => [LOCAL, "agent: background 2s"] },
  { name: "long", weight: 1, lines: () => ["agent: work 12s"] },
  { name: "crash", weight: 5, lines: () => ["agent: work 200ms", "agent: die"], isSteady: false },
  { name: "exit", weight: 3, lines: () => ["agent: exit 3"], isSteady: false },
  { name: "API error", weight: 5, lines: () => [LOCAL, "agent: fail server_error Overloaded"], isSteady: false },
  {
    ...{ name: "always failing", weight: 2, lines: () => ["agent: needs nothing.txt"] },
    ...{ mayFailAs: ["RUN_CRASHED"], isSteady: false },
  },
  {
    ...{ name: "refused by the API", weight: 2, lines: () => ["agent: fail invalid_request No"] },
    ...{ mayFailAs: ["RUN_API_ERROR"], isSteady: false },
  },
  {
    ...{ name: "question", weight: 1, lines: () => ["agent: ask Which one?"] },
    ...{ mayFailAs: ["RUN_NEEDS_ATTENTION"], isSteady: false },
  },
  {
    ...{ name: "not valid", weight: 2, header: ["title: ["], lines: () => [LOCAL] },
    ...{ mayFailAs: ["TASK_INVALID"] },
  },
  {
    ...{ name: "delegated", weight: 14, header: DELEGATED },
    lines: (random) => [`secutools: delay ${random.between(0, 4_000)}`, LOCAL],
  },
  { name: "delegated at last", weight: 3, header: DELEGATED, lines: () => ["secutools: errors 2", LOCAL] },
  { name: "delegated without an answer", weight: 3, header: DELEGATED, lines: () => ["secutools: drop 2", LOCAL] },
  { name: "refused by the platform", weight: 2, header: DELEGATED, lines: () => ["secutools: refuse 400", LOCAL] },
  {
    ...{ name: "failed by the platform", weight: 2, header: DELEGATED },
    ...{ lines: () => ["secutools: fail quota No credit left", LOCAL], mayFailAs: ["SECUTOOLS_JOB_FAILED"] },
  },
  {
    ...{ name: "cancelled by the platform", weight: 1, header: DELEGATED },
    ...{ lines: () => ["secutools: cancelled", LOCAL], mayFailAs: ["SECUTOOLS_JOB_CANCELLED"] },
  },
  {
    ...{ name: "lost by the platform", weight: 2, header: DELEGATED },
    ...{ lines: () => ["secutools: lose", LOCAL], mayFailAs: ["SECUTOOLS_JOB_LOST"] },
  },
];

/** The first line of every prompt: whose it is. @param {string} token */
const firstLine = (token) => `Task ${token}`;

/** The token of a text, or null. @param {string} text */
export const tokenOf = (text) => /^Task (\S+)$/m.exec(text)?.[1] ?? null;

/** @param {import("./random.js").Random} random @param {string} token @returns {Plan} */
export function makePlan(random, token) {
  return planOf(random.weighted(KINDS) ?? QUICK, random, token);
}

/** One of many that come at once. @param {import("./random.js").Random} random @param {string} token @returns {Plan} */
export function makeQuickPlan(random, token) {
  return planOf(QUICK, random, token);
}

/** @type {Kind} */
const QUICK = { name: "quick", weight: 1, lines: () => ["agent: work 50ms"] };

/** @param {Kind} kind @param {import("./random.js").Random} random @param {string} token @returns {Plan} */
function planOf({ name, header = [], lines, mayFailAs = [], isSteady = true }, random, token) {
  const prompt = [firstLine(token), "", ...filling(random), ...lines(random), ""].join("\n");
  const frontmatter = header.length === 0 ? "" : ["---", ...header, "---", ""].join("\n");
  return { kind: name, text: frontmatter + prompt, prompt, mayFailAs, isSteady };
}

/** Some tasks are long, and not in ASCII, so that half of one is not the whole. @param {import("./random.js").Random} random */
function filling(random) {
  if (!random.chance(0.2)) return [];
  const count = random.between(1, MAX_LINES);
  return Array.from({ length: count }, (_, index) => `Zeile ${index}: größer als „nichts“ ✓`);
}
