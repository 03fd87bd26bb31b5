import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { RunFiles } from "../../src/workers/run/files.ts";
import { RunStore } from "../../src/workers/run/store.ts";

let store: RunStore;
let files: RunFiles;
const event = (name: string) => store.pathOf("kabcdefghi-1", "events", name);
const stop = (transcript: string) =>
  JSON.stringify({ hook_event_name: "Stop", session_id: "s", transcript_path: transcript });

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "run-files-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  store = new RunStore(root);
  files = new RunFiles(store, "kabcdefghi-1");
  mkdirSync(store.pathOf("kabcdefghi-1", "events"), { recursive: true });
});

test("what is no file among the events is passed over, and nothing waits for it", async () => {
  mkdirSync(event("1.json"));
  execFileSync("mkfifo", [event("2.json")]);
  symlinkSync("/dev/zero", event("3.json"));
  writeFileSync(event("4.json"), "{ half of");
  writeFileSync(event("5.json"), stop("/nowhere"));
  const kept = await files.newEvents();
  expect(kept.map((one) => one.event.hook_event_name)).toEqual(["Stop"]);
  expect(await files.newEvents()).toEqual([]);
});

test("a transcript that is a pipe, and a pid that is a folder, tell nothing", async () => {
  const pipe = store.pathOf("kabcdefghi-1", "transcript.jsonl");
  execFileSync("mkfifo", [pipe]);
  mkdirSync(store.pathOf("kabcdefghi-1", "pid"));
  writeFileSync(event("1.json"), stop(pipe));
  await files.newEvents();
  expect(await files.hasConversation()).toBe(false);
  expect(await files.process()).toBeNull();
});
