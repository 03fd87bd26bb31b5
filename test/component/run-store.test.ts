import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { RunEnd } from "../../src/core/outcome.ts";
import { runSettings } from "../../src/workers/claude/settings.ts";
import { type RunRecord, runRecord, taskOf } from "../../src/workers/run/record.ts";
import { RunStore, runArguments, runTag } from "../../src/workers/run/store.ts";

const NOW = 1_795_000_000_000;
const DAY_MS = 86_400_000;

let root: string;
let project: string;
let store: RunStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "runs-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  project = join(root, "my project");
  mkdirSync(project);
  writeFileSync(join(project, "precious.txt"), "mine");
  store = new RunStore(join(root, "state"));
});

const record = (id = "kabcdefghi-1", more: Partial<RunRecord> = {}): RunRecord => ({
  id,
  job: "kabcdefghi",
  project,
  name: "x.md",
  priority: "high",
  reason: "allow_delegation is not true",
  session: "ccl-auto-11",
  model: "sonnet",
  claudeSession: "3f2a9c1e-1111-4222-8333-444455556666",
  resumed: false,
  attempt: 1,
  promptHash: "9f86d081884c7d65",
  timeoutMs: 7_200_000,
  preparedAtMs: NOW,
  state: { name: "prepared" },
  ...more,
});

const read = (run: string, name: string) => readFileSync(store.pathOf(run, name), "utf8");
const idsOf = async (runs: Promise<RunRecord[]>) => (await runs).map(({ id }) => id);

describe("a new run's directory", () => {
  beforeEach(async () => {
    await store.create(record());
  });

  test("lies in the state directory", () => {
    expect(store.pathOf("kabcdefghi-1", "events", "1.json")).toBe(
      join(root, "state", "runs", "kabcdefghi-1", "events", "1.json"),
    );
  });

  test("holds all that a run needs", () => {
    expect(readdirSync(store.pathOf("kabcdefghi-1")).sort()).toEqual([
      "events",
      "hook.sh",
      "launch.sh",
      "project",
      "run.json",
      "settings.json",
    ]);
  });

  test("holds the record, the settings, a link to the project, and the programs of this very version", () => {
    expect(JSON.parse(read("kabcdefghi-1", "run.json"))).toEqual(record());
    expect(JSON.parse(read("kabcdefghi-1", "settings.json"))).toEqual(runSettings());
    expect(readlinkSync(store.pathOf("kabcdefghi-1", "project"))).toBe(project);
    for (const name of ["launch.sh", "hook.sh"]) {
      expect(read("kabcdefghi-1", name)).toBe(readFileSync(join("libexec", name), "utf8"));
    }
  });

  test("is nobody else's business", async () => {
    await store.writePrompt("kabcdefghi-1", "A secret.");
    const modeOf = (...parts: string[]) => statSync(store.pathOf("kabcdefghi-1", ...parts)).mode & 0o777;
    expect([modeOf(), modeOf("events")]).toEqual([0o700, 0o700]);
    for (const name of ["run.json", "prompt.md", "settings.json", "hook.sh", "launch.sh"]) {
      expect(modeOf(name)).toBe(0o600);
    }
  });

  test("takes the prompt behind the run's tag, to the byte", async () => {
    await store.writePrompt("kabcdefghi-1", "  Do it: $(rm -rf ~) `x` 東京\r\n\n");
    expect(read("kabcdefghi-1", "prompt.md")).toBe("[run kabcdefghi-1]\n  Do it: $(rm -rf ~) `x` 東京\r\n\n");
  });
});

describe("the record", () => {
  const ends: RunEnd[] = [
    { kind: "finished", message: "Done." },
    { kind: "limited", message: "resets at 3pm" },
    { kind: "unauthorised", error: "authentication_failed", message: "log in" },
    { kind: "api-error", error: "server_error", message: "500" },
    { kind: "blocked", waitedMs: 30_001 },
    { kind: "not-submitted", waitedMs: 30_001 },
    { kind: "needs-attention", waitingFor: "permission", waitedMs: 3_600_001 },
    { kind: "interrupted", waitedMs: 3_600_001 },
    { kind: "left" },
    { kind: "crashed", exitCode: 1 },
    { kind: "crashed", exitCode: null },
    { kind: "timed-out", silentMs: 7_200_001 },
    { kind: "cancelled" },
  ];
  const ended = { name: "ended", launchedAtMs: NOW, atMs: NOW } as const;
  const states: RunRecord["state"][] = [
    { name: "prepared" },
    { name: "launched", atMs: NOW },
    { name: "closed", atMs: NOW },
    ...ends.map((end) => ({ ...ended, end, submitted: true, screen: "$ " })),
    { ...ended, end: { kind: "left" }, submitted: false, screen: null },
  ];

  test.each(states)("comes back as it was saved: %j", async (state) => {
    await store.create(record());
    await store.save(record("kabcdefghi-1", { state }));
    expect(runRecord.parse(JSON.parse(read("kabcdefghi-1", "run.json")))).toEqual(record("kabcdefghi-1", { state }));
  });

  test("of a resumed run that is not the first comes back, too", async () => {
    const resumed = record("kabcdefghi-3", { resumed: true, attempt: 2, timeoutMs: 1_800_000 });
    await store.create(resumed);
    expect(await store.open()).toEqual([resumed]);
  });

  test("names the task's file", () => {
    expect(taskOf(record())).toEqual({ project, name: "x.md" });
  });

  test.each(["attempt", "claudeSession", "promptHash", "resumed", "timeoutMs"])(
    "without %s is another version's: nothing is made up for it",
    (key) => {
      const entries = Object.entries(record()).filter(([name]) => name !== key);
      expect(runRecord.safeParse(Object.fromEntries(entries)).success).toBe(false);
    },
  );

  test.each([0, -1, 1.5])("has no attempt %d", (attempt) => {
    expect(runRecord.safeParse(record("a-1", { attempt })).success).toBe(false);
  });

  test("is replaced whole: a save leaves nothing half written beside it", async () => {
    await store.create(record());
    const before = readdirSync(store.pathOf("kabcdefghi-1"));
    await store.save(record("kabcdefghi-1", { model: "opus" }));
    expect(readdirSync(store.pathOf("kabcdefghi-1"))).toEqual(before);
    expect(await store.open()).toEqual([record("kabcdefghi-1", { model: "opus" })]);
  });

  test("is never seen half written: who reads it while it is saved reads all of the last one", async () => {
    await store.create(record());
    const reader = openSync(store.pathOf("kabcdefghi-1", "run.json"), "r");
    onTestFinished(() => closeSync(reader));
    await store.save(record("kabcdefghi-1", { model: "opus" }));
    expect(JSON.parse(readFileSync(reader, "utf8"))).toEqual(record());
  });
});

describe("open runs", () => {
  test("are those not closed, oldest first", async () => {
    const launched = { name: "launched", atMs: NOW } as const;
    const end = { kind: "left" } as const;
    const ended = { name: "ended", launchedAtMs: NOW, atMs: NOW, end, submitted: true, screen: null } as const;
    await store.create(record("a-1", { preparedAtMs: NOW + 3 }));
    await store.create(record("b-1", { preparedAtMs: NOW + 1, state: launched }));
    await store.create(record("c-1", { preparedAtMs: NOW + 2, state: ended }));
    await store.create(record("d-1", { preparedAtMs: NOW, state: { name: "closed", atMs: NOW } }));
    expect(await idsOf(store.open())).toEqual(["b-1", "c-1", "a-1"]);
  });

  test("are none before the first run", async () => {
    expect(await store.open()).toEqual([]);
  });

  test.each([
    ["no record: it was never launched", null],
    ["an empty record", ""],
    ["half a record", '{"id":"b-1","job":'],
    ["another program's record", '{"id":"b-1"}'],
  ])("leave out a directory with %s", async (_what, text) => {
    await store.create(record("a-1"));
    mkdirSync(store.pathOf("b-1"), { recursive: true });
    if (text !== null) writeFileSync(store.pathOf("b-1", "run.json"), text);
    expect(await idsOf(store.open())).toEqual(["a-1"]);
    expect(await store.has("b-1")).toBe(false);
  });
});

test("a run is known while its directory stands", async () => {
  await store.create(record());
  expect(await store.has("kabcdefghi-1")).toBe(true);
  expect(await store.has("kabcdefghi-2")).toBe(false);
  expect(await store.has("")).toBe(false);
  await store.remove("kabcdefghi-1");
  expect(await store.has("kabcdefghi-1")).toBe(false);
});

describe("to remove a run", () => {
  test("takes its directory and nothing of the project that it links to", async () => {
    await store.create(record("a-1"));
    await store.create(record("b-1"));
    await store.remove("a-1");
    expect(readdirSync(store.pathOf(""))).toEqual(["b-1"]);
    expect(readFileSync(join(project, "precious.txt"), "utf8")).toBe("mine");
  });

  test("may be repeated", async () => {
    await store.create(record("a-1"));
    await store.remove("a-1");
    await expect(store.remove("a-1")).resolves.toBeUndefined();
  });
});

test("a record that names another run, or a file elsewhere, is none: nothing outside is ever removed or touched", async () => {
  mkdirSync(join(root, "precious"));
  const bad = [{ id: "../../precious" }, { id: "kabcdefghi-9" }, { name: "../../x.md" }, { name: "x.txt" }];
  for (const [index, more] of bad.entries()) {
    const id = `kabcdefghi-${index + 1}`;
    await store.create(record(id, { state: { name: "closed", atMs: 0 } }));
    writeFileSync(store.pathOf(id, "run.json"), JSON.stringify({ ...record(id), ...more }));
  }
  expect(await store.open()).toEqual([]);
  await store.prune(DAY_MS);
  expect(readdirSync(root)).toContain("precious");
});

describe("to prune", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: NOW });
    onTestFinished(() => void vi.useRealTimers());
  });

  test("removes runs that were closed longer ago than they are kept, and no other", async () => {
    const closed = (agoMs: number) => ({ state: { name: "closed", atMs: NOW - agoMs } }) as const;
    const old = { preparedAtMs: NOW - 90 * DAY_MS };
    await store.create(record("old-1", closed(DAY_MS + 1)));
    await store.create(record("edge-1", closed(DAY_MS)));
    await store.create(record("new-1", closed(0)));
    await store.create(record("open-1", old));
    await store.create(record("open-2", { ...old, state: { name: "launched", atMs: NOW - 90 * DAY_MS } }));
    await store.prune(DAY_MS);
    expect(readdirSync(store.pathOf("")).sort()).toEqual(["edge-1", "new-1", "open-1", "open-2"]);
    expect(readFileSync(join(project, "precious.txt"), "utf8")).toBe("mine");
  });

  test("removes what a crash or a full disk left without a record, once it is as old", async () => {
    for (const [name, agoMs] of [
      ["old-1", DAY_MS + 1],
      ["new-1", DAY_MS - 1],
    ] as const) {
      mkdirSync(store.pathOf(name), { recursive: true });
      writeFileSync(store.pathOf(name, "run.json"), "{");
      utimesSync(store.pathOf(name), new Date(NOW), new Date(NOW - agoMs));
    }
    await store.prune(DAY_MS);
    expect(readdirSync(store.pathOf(""))).toEqual(["new-1"]);
  });

  test("where nothing is does nothing", async () => {
    await expect(store.prune(DAY_MS)).resolves.toBeUndefined();
  });
});

test("the tag is the first line of the prompt, in brackets", () => {
  expect(runTag("kabcdefghi-1")).toBe("[run kabcdefghi-1]");
});

test("a run's program gets names of ours and the operator's own arguments, nothing of the task", () => {
  const run = record("kabcdefghi-1", { name: "$(reboot); x.md", model: "opus" });
  const dir = join(root, "state", "runs", "kabcdefghi-1");
  expect(runArguments(store, run, { command: "/opt/claude", args: ["--dangerously-skip-permissions", "-v"] })).toEqual([
    "sh",
    join(dir, "launch.sh"),
    dir,
    "/opt/claude",
    "--dangerously-skip-permissions",
    "-v",
    "--session-id",
    "3f2a9c1e-1111-4222-8333-444455556666",
    "--settings",
    join(dir, "settings.json"),
    "--model",
    "opus",
  ]);
});

test("a run that goes on with a Claude session resumes it by its id, and begins no other", () => {
  const session = "3f2a9c1e-1111-4222-8333-444455556666";
  const claude = { command: "claude", args: ["-v"] };
  const first = runArguments(store, record(), claude);
  const next = runArguments(store, record("kabcdefghi-1", { resumed: true, attempt: 2 }), claude);
  expect(next).toEqual(first.map((argument) => (argument === "--session-id" ? "--resume" : argument)));
  expect(next.slice(5, 7)).toEqual(["--resume", session]);
});
