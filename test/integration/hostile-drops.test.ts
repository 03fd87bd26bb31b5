import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { type Content, type HostileFile, hostileCorpus, type Places } from "../helpers/hostile-corpus.ts";
import { type Canaries, layCanaries, put } from "../helpers/hostile-files.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const MIB = 1024 * 1024;
const TAIL_BYTES = 4_096;

let queue: QueueFixture;
let places: Places;
let canaries: Canaries;

afterEach(async () => await queue.stop());

async function start(): Promise<void> {
  queue = await startQueue({ sessions: 8, workMs: 1, sweep: "1s" });
  places = { outside: join(queue.dir, "outside"), project: queue.project, trace: join(queue.dir, "executed") };
  canaries = await layCanaries(places);
}

const folder = (name: string) => join(queue.project, ".agent-queue", name);
const drop = async (name: string | Buffer, content: Content) => await put(folder("inbox"), name, content, queue.dir);

/** The names in a folder as bytes, as not all of them are text. */
async function namesIn(name: string): Promise<string[]> {
  const names = await readdir(folder(name), { encoding: "buffer" }).catch(() => []);
  return names.map((it) => it.toString("latin1")).sort();
}

const inBytes = (name: string | Buffer) => Buffer.from(name).toString("latin1");
const eventsOf = (type: string) => queue.events.filter((event) => event.type === type);

/** The last part of a file, however large it is. */
async function tailOf(path: string): Promise<string> {
  const handle = await open(path);
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(TAIL_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, TAIL_BYTES, Math.max(0, size - TAIL_BYTES));
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Why each rejected file was rejected, by its name: its footer and its event say the same. */
async function reasons(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const event of queue.events) {
    if (event.type !== "rejected") continue;
    const [, row = ""] = /\n\| error \| (.*) \|\n/.exec(await tailOf(event.path)) ?? [];
    expect(row.replaceAll("\\|", "|")).toBe(`TASK_INVALID: ${event.reason}`);
    found.set(event.task.name, row);
  }
  return found;
}

/** What each run's agent was given, as a hash, with the run. */
async function prompts(): Promise<{ run: string; hash: string }[]> {
  const submitted = (await queue.witness()).filter(({ event }) => event === "submit");
  return submitted.map(({ run, promptSha256 }) => ({ run: run ?? "", hash: promptSha256 ?? "" }));
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

async function expectNothingEscaped(): Promise<void> {
  expect(await canaries.disturbed()).toEqual([]);
  expect(await canaries.isPipeRead()).toBe(false);
  const everywhere = await readdir(queue.dir, { recursive: true });
  expect(everywhere.filter((path) => basename(path) === "executed")).toEqual([]);
  expect(existsSync("executed")).toBe(false);
  expect({}).not.toHaveProperty("polluted");
}

async function expectQueueGoesOn(): Promise<void> {
  await queue.drop("an honest task.md", "honest\n");
  await until("it is done", () => eventsOf("done").some(({ task }) => task.name === "an honest task.md"));
}

test("each hostile file is done as it is, rejected for a reason that a person understands, or ignored", async () => {
  await start();
  const corpus = hostileCorpus(places);
  for (const { name, content } of corpus) await drop(name, content);
  await canaries.watch();
  const of = (kind: HostileFile["fate"]["kind"]) => corpus.filter(({ fate }) => fate.kind === kind);
  const isOver = () =>
    eventsOf("done").length >= of("done").length && eventsOf("rejected").length >= of("failed").length;
  await until("all are over", isOver, 100_000);

  expect(await namesIn("inbox")).toEqual(
    of("ignored")
      .map(({ name }) => inBytes(name))
      .sort(),
  );
  expect(await namesIn("done")).toEqual(
    of("done")
      .map(({ name }) => inBytes(name))
      .sort(),
  );
  expect(await namesIn("failed")).toHaveLength(of("failed").length);
  const why = await reasons();
  const given = await prompts();
  for (const { title, name, fate } of corpus) {
    const reason = why.get(String(name));
    if (fate.kind === "failed") expect([title, reason]).toEqual([title, expect.stringMatching(fate.reason)]);
    else expect([title, reason]).toEqual([title, undefined]);
    if (fate.kind !== "done") continue;
    expect([title, given.some(({ run, hash }) => hash === sha256(`[run ${run}]\n${fate.prompt}`))]).toEqual([
      title,
      true,
    ]);
  }
  expect(queue.errors).toEqual([]);
  await expectNothingEscaped();
  await expectQueueGoesOn();
}, 120_000);

test("what only looks like the queue's own comes back as a task, or stays for a person to see to", async () => {
  await start();
  const left = ["folder.md.dispatched", "folder.md.given-back", ".folder.md.given-back", ".odd.taken", ".odd.draft"];
  for (const name of left) await drop(name, { kind: "folder" });
  await drop("link.md.dispatched", { kind: "link", to: join(places.outside, "secret.md") });
  await drop("pipe.md.dispatched", { kind: "pipe" });
  await drop("text.md.dispatched", { kind: "text", text: "lost and found" });
  await drop(".hidden.md.given-back", { kind: "text", text: "given back" });
  const markers: [string, Content][] = [
    ["folder", { kind: "folder" }],
    ["pipe", { kind: "pipe" }],
    ["device", { kind: "link", to: "/dev/zero" }],
    ["secret", { kind: "link", to: join(places.outside, "secret.md") }],
    ["nowhere", { kind: "link", to: "nowhere" }],
    ["nonsense", { kind: "text", text: "{}" }],
    ["deep", { kind: "text", text: "[".repeat(MIB) }],
    ["terabyte", { kind: "sparse", bytes: 2 ** 40 }],
  ];
  for (const [name, content] of markers) {
    await drop(`out to ${name}.md.delegated`, content);
    await drop(`out to ${name}.md`, { kind: "text", text: "waits for its marker" });
  }
  await canaries.watch();
  const isOver = () => eventsOf("done").length >= 2 && eventsOf("rejected").length >= 2;
  await until("what can be done is done", isOver);

  expect([...(await reasons()).entries()].sort()).toEqual([
    ["link.md", "TASK_INVALID: it is a link that leaves the project"],
    ["pipe.md", "TASK_INVALID: it is not a regular file"],
  ]);
  expect(await namesIn("done")).toEqual(["hidden.md", "text.md"]);
  const waiting = markers.flatMap(([name]) => [`out to ${name}.md`, `out to ${name}.md.delegated`]);
  expect(await namesIn("inbox")).toEqual([...left, ...waiting].sort());
  const codes = queue.errors.map((error) => (error instanceof QueueError ? error.code : String(error)));
  expect(new Set(codes)).toEqual(new Set(["MARKER_INVALID"]));
  await expectNothingEscaped();
  for (const [name] of markers) await rm(join(folder("inbox"), `out to ${name}.md.delegated`), { recursive: true });
  await until("without its marker, each is done", () => eventsOf("done").length >= 2 + markers.length);
  await expectQueueGoesOn();
}, 60_000);

test("twenty lines of 10 MB each take neither memory nor their place", async () => {
  await start();
  const line = Buffer.alloc(10_000_000, "x");
  const startBytes = process.memoryUsage.rss();
  let mostBytes = 0;
  for (let index = 0; index < 20; index += 1) await drop(`large-${index}.md`, { kind: "text", text: line });
  await until("all are told", () => {
    mostBytes = Math.max(mostBytes, process.memoryUsage.rss());
    return eventsOf("rejected").length === 20;
  });
  expect(await namesIn("failed")).toHaveLength(20);
  for (const reason of (await reasons()).values())
    expect(reason).toBe("TASK_INVALID: the file is larger than 1 MiB (10000000 bytes)");
  await expectQueueGoesOn();
  expect(mostBytes - startBytes).toBeLessThan(150 * MIB);
  expect(queue.errors).toEqual([]);
});
