import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { AgentLine } from "../../chaos/attempts.js";
import { findBreaches } from "../../chaos/checker.js";
import type { Accepted, Evidence, Found } from "../../chaos/evidence.js";
import type { Drop } from "../../chaos/journal.js";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const SECOND = 1_000;

/** Something that the author dropped; the text is the prompt unless said. */
function drop(token: string, more: Partial<Drop> = {}): Drop {
  const prompt = more.prompt ?? `Task ${token}\n\nagent: work 50ms\n`;
  return {
    ...{ token, project: "alpha", names: [`${token}.md`], kind: "quick", text: prompt, prompt },
    ...{ mayFailAs: [], isSteady: true, droppedAt: 0 },
    ...{ canBeAbsent: false, canBeCancelled: false, removedAt: null, retriedAt: [] },
    ...more,
  };
}

function footer(rows: Readonly<Record<string, string>>): string {
  const lines = Object.entries(rows).map(([name, value]) => `| ${name} | ${value} |`);
  return ["", "", "<!-- ccl-queue:footer -->", "---", "", ...lines, "<!-- /ccl-queue:footer -->", ""].join("\n");
}

function file(folder: Found["folder"], { project, names, text }: Drop, rows: Readonly<Record<string, string>>): Found {
  return { project, folder, name: names.at(-1) ?? "", text: text + footer(rows) };
}

const doneFile = (task: Drop, run: string) => file("done", task, { "ccl-queue": "done", run });
const failedFile = (task: Drop, error: string, attempts = "4") =>
  file("failed", task, { "ccl-queue": "failed", error, attempts, run: "x-4" });

interface Agent {
  readonly run: string;
  readonly at: number;
  readonly pid?: number;
  readonly prompt?: string;
  readonly session?: string;
  /** When its work was done; null = it never was. */
  readonly stoppedAt?: number | null;
  readonly cause?: string;
}

/** What an agent says of itself. */
function agent(task: Drop, { run, at, pid = at, session = run, stoppedAt = at + 100, ...more }: Agent): AgentLine[] {
  const { prompt = task.prompt, cause = "Stop" } = more;
  const [firstLine = ""] = prompt.split("\n");
  const line = { pid, run, session, promptSha256: sha256(`[run ${run}]\n${prompt}`), firstLine };
  return [
    { ...line, event: "start", at },
    { ...line, event: "submit", at: at + 1 },
    ...(stoppedAt === null ? [] : [{ ...line, event: "end" as const, at: stoppedAt, cause }]),
  ];
}

function accepted({ project, names, prompt }: Drop, id: string, key: string, at = 10): Accepted {
  const name = names.at(-1) ?? "";
  const contentSha256 = sha256(JSON.stringify([project, name, prompt]));
  return { event: "accepted", at, id, key, project, task: name, contentSha256 };
}

function world(more: Partial<Evidence>): Evidence {
  return {
    ...{ drops: [], agents: [], lives: [], accepted: [], answers: [], stops: [], files: [] },
    ...{ ghosts: [], processes: [], tagged: [], attempts: 4 },
    ...more,
  };
}

/** The promises that are broken in a world. */
const broken = (more: Partial<Evidence>) => findBreaches(world(more)).map(({ promise }) => promise);

const t1 = drop("t1");
const remote = drop("t2", { kind: "delegated" });
const GO_ON = "This session was interrupted.";

describe("a world in which the promise holds", () => {
  test("with a task that came back under another name, as a crash had cost it its own", () => {
    const before = accepted(remote, "job-1", "b-1");
    const named = drop("t2", { kind: "delegated", names: ["t2.md", "cancelled-1.md"], retriedAt: [50] });
    const home = file("done", named, { "ccl-queue": "done", provider: "gemini (job-2)", run: "c-1" });
    const answers = [before, accepted(named, "job-2", "c-1", 60)].map(({ at, key }) => ({
      at: at + 1,
      key,
      status: 201,
    }));
    const world = { drops: [named], answers, files: [home] };
    expect(broken({ ...world, accepted: [before, accepted(named, "job-2", "c-1", 60)] })).toEqual([]);
    const another = drop("t2", { names: ["t3.md"] });
    expect(broken({ ...world, accepted: [before, accepted(another, "job-2", "c-1", 60)] })).toEqual([
      "done",
      "nothing else",
    ]);
  });

  test("with a task that is done, here and by the platform", () => {
    const home = file("done", remote, { "ccl-queue": "done", provider: "gemini (job-1)", run: "b-1" });
    expect(
      broken({
        drops: [t1, remote],
        agents: agent(t1, { run: "a-1", at: 10 }),
        accepted: [accepted(remote, "job-1", "b-1")],
        answers: [{ at: 11, key: "b-1", status: 201 }],
        files: [doneFile(t1, "a-1"), home],
      }),
    ).toEqual([]);
  });

  test("with an attempt that was killed, and one that went on in its session", () => {
    const agents = [
      ...agent(t1, { run: "a-1", at: 10, session: "s", stoppedAt: null }),
      ...agent(t1, { run: "a-2", at: SECOND, session: "s", prompt: GO_ON }),
    ];
    const lives = [{ pid: 10, run: "a-1", lastSeenAt: 500 }];
    expect(broken({ drops: [t1], agents, lives, files: [doneFile(t1, "a-2")] })).toEqual([]);
  });

  test("with an agent that was killed before it could tell that it was done", () => {
    const agents = [...agent(t1, { run: "a-1", at: 10 }), ...agent(t1, { run: "a-2", at: 5 * SECOND })];
    const lives = [{ pid: 10, run: "a-1", lastSeenAt: 200 }];
    expect(broken({ drops: [t1], agents, lives, files: [doneFile(t1, "a-2")] })).toEqual([]);
  });

  test("with a task that was taken away, and one that failed by its script and was put back", () => {
    const removed = drop("t3", { canBeAbsent: true, removedAt: 50 });
    const failing = drop("t4", { mayFailAs: ["RUN_API_ERROR"], retriedAt: [2 * SECOND] });
    const agents = [...agent(failing, { run: "a-1", at: 10 }), ...agent(failing, { run: "a-2", at: 3 * SECOND })];
    const lives = [{ pid: 10, run: "a-1", lastSeenAt: 1_500 }];
    const files = [failedFile(failing, "RUN_API_ERROR: No", "1")];
    expect(broken({ drops: [removed, failing], agents, lives, files })).toEqual([]);
  });

  test("with a task whose agents were all killed, and one that was cancelled", () => {
    const cancelled = drop("t5", { canBeCancelled: true });
    const files = [failedFile(t1, "RUN_CRASHED: gone"), failedFile(cancelled, "TASK_CANCELLED: by somebody", "")];
    expect(broken({ drops: [t1, cancelled], files })).toEqual([]);
  });

  test("with a task that the local pool did as no answer of the platform had arrived", () => {
    const agents = agent(remote, { run: "b-2", at: 100 });
    const answers = [{ at: 50, key: "b-1", status: 503 }];
    const files = [doneFile(remote, "b-2")];
    expect(broken({ drops: [remote], agents, accepted: [accepted(remote, "job-1", "b-1")], answers, files })).toEqual(
      [],
    );
  });
});

test.each([
  ["the daemon ended at once", 1_500, []],
  ["the daemon had long heard of it when it ended", 4_000, ["one job"]],
  ["the daemon was ending", -800, []],
  ["another daemon had begun by then", -2_010, ["one job"]],
])("an agent for what the platform has: %s", (_when, afterMs, promises) => {
  const agents = agent(remote, { run: "b-2", at: 9_000 });
  const answers = [{ at: 50, key: "b-1", status: 201 }];
  const out = { drops: [remote], agents, accepted: [accepted(remote, "job-1", "b-1")], answers };
  expect(
    broken({ ...out, stops: [{ at: 50 + afterMs, until: 2_050 + afterMs }], files: [doneFile(remote, "b-2")] }),
  ).toEqual(promises);
});

describe("a promise is broken by", () => {
  const agents = agent(t1, { run: "a-1", at: 10 });
  const done = { drops: [t1], agents, files: [doneFile(t1, "a-1")] };

  test("a task that is nowhere", () => {
    expect(broken({ drops: [t1] })).toEqual(["not lost"]);
  });

  test("a task in two places, one of them hidden", () => {
    const copy = { ...doneFile(t1, "a-1"), folder: "inbox", name: ".a-1.taken" } as const;
    expect(broken({ ...done, files: [...done.files, copy] })).toEqual(["once"]);
  });

  test("a task that still waits, and one that nobody watches any more", () => {
    const waiting: Found = { project: "alpha", folder: "inbox", name: "t1.md", text: t1.text };
    const removed = drop("t3", { canBeAbsent: true });
    const claimed: Found = { project: "alpha", folder: "inbox", name: "t3.md.dispatched", text: removed.text };
    expect(broken({ drops: [t1, removed], files: [waiting, claimed] })).toEqual(["over", "over"]);
  });

  test("a marker, a draft, a file made of nothing, a process, a tag or a folder that is left", () => {
    const inInbox = { project: "alpha", folder: "inbox", name: "t1.md.delegated", text: "{}" } as const;
    const draft = { project: "alpha", folder: "done", name: ".a-1.draft", text: "" } as const;
    const strange = { project: "alpha", folder: "done", name: "t9.md", text: footer({ run: "a-9" }) } as const;
    const left = { processes: ["7 node"], tagged: ["ccl-auto-11 (a-1)"], ghosts: ["alpha-1 ()"] };
    expect(broken({ ...done, ...left, files: [...done.files, inInbox, draft, strange] })).toEqual([
      "nothing left",
      "nothing else",
      ...Array.from({ length: 4 }, () => "nothing left"),
    ]);
  });

  test("a result whose text is not the author's, or that has no footer", () => {
    const cut = { ...doneFile(t1, "a-1"), text: `Task t1\n${footer({ run: "a-1" })}` };
    expect(broken({ ...done, files: [cut] })).toEqual(["its text"]);
    const bare = { ...doneFile(t1, "a-1"), text: t1.text };
    expect(broken({ ...done, files: [bare] })).toEqual(["its footer"]);
  });

  test("a result that no agent has worked for", () => {
    expect(broken({ drops: [t1], files: [doneFile(t1, "a-1")] })).toEqual(["done"]);
    const other = agent(t1, { run: "a-2", at: 10 });
    expect(broken({ ...done, agents: other })).toEqual(["done"]);
    const unfinished = agent(t1, { run: "a-1", at: 10, stoppedAt: null });
    expect(broken({ ...done, agents: unfinished })).toEqual(["done"]);
    const crashed = agent(t1, { run: "a-1", at: 10, cause: "exit" });
    expect(broken({ ...done, agents: crashed })).toEqual(["done"]);
    const promptless = agents.filter(({ event }) => event !== "submit");
    expect(broken({ ...done, agents: promptless })).toEqual(["done"]);
  });

  test("a result of the platform's that the platform did not accept", () => {
    const home = file("done", remote, { "ccl-queue": "done", provider: "gemini (job-1)", run: "b-1" });
    expect(broken({ drops: [remote], files: [home] })).toEqual(["done"]);
  });

  test("half a prompt", () => {
    const half = agent(t1, { run: "a-1", at: 10, prompt: "Task t1\n\nagent: wo" });
    expect(broken({ ...done, agents: half })).toEqual(["its text", "done"]);
  });

  test("a prompt that nobody wrote, for an agent or for the platform", () => {
    const strange = agent(drop("t9"), { run: "c-1", at: 10, prompt: "Hello" });
    expect(broken({ agents: strange })).toEqual(["nothing else"]);
    expect(broken({ accepted: [accepted(drop("t9"), "job-9", "c-1")] })).toEqual(["nothing else"]);
  });

  test("a session that goes on though no prompt of it was ever taken", () => {
    const bare = agent(t1, { run: "a-1", at: 10, session: "s" }).filter(({ event }) => event === "start");
    const next = agent(t1, { run: "a-2", at: 20, session: "s", prompt: GO_ON });
    expect(broken({ drops: [t1], agents: [...bare, ...next], files: [doneFile(t1, "a-2")] })).toContain("nothing else");
  });

  test("a session that goes on with half a prompt", () => {
    const half = agent(t1, { run: "a-1", at: 10, session: "s", prompt: "Task t1\n", stoppedAt: null });
    const next = agent(t1, { run: "a-2", at: SECOND, session: "s", prompt: GO_ON });
    const promises = broken({ drops: [t1], agents: [...half, ...next], files: [doneFile(t1, "a-2")] });
    expect(promises).toEqual(["its text", "done", "nothing else"]);
  });

  test("a failure without a reason, or with one that nothing explains", () => {
    const bare = { ...failedFile(t1, ""), text: t1.text + footer({ "ccl-queue": "failed" }) };
    expect(broken({ drops: [t1], files: [bare] })).toEqual(["a reason"]);
    expect(broken({ drops: [t1], files: [failedFile(t1, "RUN_API_ERROR: No")] })).toEqual(["a reason"]);
    expect(broken({ drops: [t1], files: [failedFile(t1, "RUN_CRASHED: gone", "2")] })).toEqual(["a reason"]);
    expect(broken({ drops: [t1], files: [failedFile(t1, "TASK_CANCELLED: by nobody")] })).toEqual(["a reason"]);
  });

  test("a run that is launched twice", () => {
    const twice = [...agent(t1, { run: "a-1", at: 10, stoppedAt: null }), ...agent(t1, { run: "a-1", at: SECOND })];
    expect(broken({ ...done, agents: twice })).toContain("one launch");
  });

  test("two agents at a time for one task", () => {
    const two = [...agent(t1, { run: "a-1", at: 10, stoppedAt: null }), ...agent(t1, { run: "a-2", at: SECOND })];
    const lives = [{ pid: 10, run: "a-1", lastSeenAt: SECOND + 1 }];
    expect(broken({ drops: [t1], agents: two, lives, files: [doneFile(t1, "a-2")] })).toEqual(["alone"]);
  });

  test("a task that is begun again though it was done", () => {
    const two = [...agent(t1, { run: "a-1", at: 10 }), ...agent(t1, { run: "a-2", at: 9 * SECOND })];
    const lives = [{ pid: 10, run: "a-1", lastSeenAt: 2 * SECOND }];
    expect(broken({ drops: [t1], agents: two, lives, files: [doneFile(t1, "a-2")] })).toEqual(["not again"]);
  });

  test("a task that is begun after its file was taken away", () => {
    const removed = drop("t3", { canBeAbsent: true, removedAt: 5 });
    expect(broken({ drops: [removed], agents: agent(removed, { run: "a-1", at: 10 }) })).toEqual(["not withdrawn"]);
  });

  test("a task that cannot be run, and is", () => {
    const invalid = drop("t6", { kind: "not valid", mayFailAs: ["TASK_INVALID"] });
    const run = agent(invalid, { run: "a-1", at: 10 });
    expect(broken({ drops: [invalid], agents: run, files: [doneFile(invalid, "a-1")] })).toEqual(["its text", "done"]);
  });

  test("two jobs of the platform for one task, or for one key", () => {
    const home = file("done", remote, { "ccl-queue": "done", provider: "gemini (job-1)", run: "b-1" });
    const drops = [remote];
    const one = accepted(remote, "job-1", "b-1");
    const answers = ["b-1", "b-2"].map((key) => ({ at: 50, key, status: 201 }));
    const twoKeys = { drops, accepted: [one, accepted(remote, "job-2", "b-2")], answers, files: [home] };
    expect(broken(twoKeys)).toEqual(["one job"]);
    expect(broken({ ...twoKeys, accepted: [one, accepted(remote, "job-2", "b-1")] })).toEqual(["one job"]);
    // Nobody was told of the other one.
    expect(broken({ ...twoKeys, answers: answers.slice(0, 1) })).toEqual([]);
    const again = drop("t2", { kind: "delegated", retriedAt: [50] });
    expect(broken({ ...twoKeys, drops: [again] })).toEqual([]);
    const oneKey = [one, accepted(remote, "job-2", "b-1")];
    expect(broken({ ...twoKeys, drops: [again], accepted: oneKey })).toEqual(["one job"]);
  });

  test("an agent for what the platform has, and is known to have", () => {
    const beside = agent(remote, { run: "b-2", at: 100 });
    const answers = [{ at: 50, key: "b-1", status: 201 }];
    const out = { drops: [remote], agents: beside, accepted: [accepted(remote, "job-1", "b-1")], answers };
    expect(broken({ ...out, files: [doneFile(remote, "b-2")] })).toEqual(["one job"]);
  });
});
