import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { delegable, row } from "../helpers/delegation.ts";
import { type HostilePlatform, send, startHostilePlatform } from "../helpers/hostile-platform.ts";
import { type Hosts, prepareHosts, type TestHost } from "../helpers/hosts.ts";
import { until } from "../helpers/until.ts";

const TAKEN = { id: "job-1", status: "queued" };

let hosts: Hosts;
let platform: HostilePlatform;
/** The submissions that have no answer yet, in the order in which they came: one of each host. */
let submissions: ServerResponse[];
let status: "running" | "completed";
let started: TestHost[];

afterEach(async () => {
  await hosts.stop();
  await platform.close();
});

/** A host that starts takes up what is being submitted: by one that is gone, or by one that lives. */
beforeEach(async () => {
  submissions = [];
  status = "running";
  platform = await startHostilePlatform((response, _index, { method }) => {
    if (method === "POST") submissions.push(response);
    else send(response, 200, { id: "job-1", status: method === "GET" ? status : "cancelled", result: "Done there." });
  });
  hosts = await prepareHosts({ secutools: { url: platform.url, key: "key-1", poll: "100ms" } });
  started = [await hosts.start("one")];
  await hosts.queue.drop("x.md", delegable("Do it."));
  await until("it is being submitted", () => submissions.length === 1);
  started.push(await hosts.start("two"));
  await until("it is being submitted twice", () => submissions.length === 2);
  const keys = platform.requests.map(({ headers }) => headers["idempotency-key"]);
  expect(new Set(keys).size).toBe(1);
});

function answer(which: 0 | 1, code: number, body?: object): void {
  const response = submissions[which];
  if (response === undefined) throw new Error("nobody asks");
  send(response, code, body);
}

const asked = (method: string) => platform.requests.filter((request) => request.method === method).length;
const told = (type: string) => started.flatMap(({ events }) => events).filter((event) => event.type === type);
const isLeft = async () => (await hosts.queue.names("inbox")).length > 0;

/** It was done once, nothing is left of it, and nobody complains. */
async function expectDoneBy(doer: RegExp): Promise<void> {
  const { queue } = hosts;
  await until("the inbox is empty", async () => !(await isLeft()));
  expect(await queue.names("done")).toEqual(["x.md"]);
  expect(await queue.names("failed")).toEqual([]);
  const text = await queue.read("done", "x.md");
  expect(row(text, "provider") ?? row(text, "session")).toMatch(doer);
  await until("its end is told", () => told("done").length > 0);
  expect(told("done")).toHaveLength(1);
  expect(started.flatMap(({ errors }) => errors)).toEqual([]);
}

test("what one host has given to the local pool is cancelled when the other one gets through", async () => {
  answer(0, 422);
  await hosts.queue.settled("done", 1);
  answer(1, 201, TAKEN);
  await until("it is cancelled there", () => asked("DELETE") === 1);
  await expectDoneBy(/^ccl-auto-/);
  expect(told("delegated")).toEqual([]);
});

test("what one host has handed in is not given to the local pool when the other one is refused", async () => {
  answer(1, 201, TAKEN);
  await until("it is out", () => told("delegated").length === 1);
  answer(0, 422);
  const before = asked("GET");
  await until("it was asked about for a while", () => asked("GET") >= before + 5);
  status = "completed";
  await expectDoneBy(/^gemini \(job-1\)$/);
  expect(told("routed")).toHaveLength(1);
  expect(asked("DELETE")).toBe(0);
});

test("what both hosts hand in is told of once", async () => {
  answer(0, 201, TAKEN);
  await until("it is out", () => told("delegated").length === 1);
  answer(1, 200, TAKEN);
  const before = asked("GET");
  await until("it was asked about for a while", () => asked("GET") >= before + 5);
  status = "completed";
  await expectDoneBy(/^gemini \(job-1\)$/);
  expect(told("delegated")).toHaveLength(1);
  expect(asked("DELETE")).toBe(0);
});

test("what has come home already gets no marker again when the other host gets through", async () => {
  answer(0, 201, TAKEN);
  status = "completed";
  await until("it has come home", async () => !(await isLeft()));
  answer(1, 200, TAKEN);
  await until("it is cancelled there, which changes nothing", () => asked("DELETE") === 1);
  await expectDoneBy(/^gemini \(job-1\)$/);
});
