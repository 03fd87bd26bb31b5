import { describe, expect, test } from "vitest";
import { parseHookEvent } from "../../src/workers/claude/hook-event.ts";

/** What Claude Code puts into every event; the parts that we do not read among them. */
const COMMON = {
  session_id: "3f2a9c1e-1111-4222-8333-444455556666",
  transcript_path: "/home/op/.claude/projects/-srv-site/3f2a9c1e.jsonl",
  cwd: "/srv/site",
  permission_mode: "bypassPermissions",
};
const KEPT = { session_id: COMMON.session_id, transcript_path: COMMON.transcript_path };
const parse = (event: object) => parseHookEvent(JSON.stringify({ ...COMMON, ...event }));

describe("an event of Claude Code is read", () => {
  test.each<[string, object, object]>([
    ["SessionStart", { source: "startup", model: "opus" }, { source: "startup" }],
    ["SessionStart", { source: "resume" }, { source: "resume" }],
    [
      "UserPromptSubmit",
      { prompt: "[run a-1]\nDo it.", prompt_id: "p1" },
      { prompt: "[run a-1]\nDo it.", prompt_id: "p1" },
    ],
    [
      "Stop",
      { last_assistant_message: "Done.", background_tasks: [{ id: "b1" }], session_crons: [{ id: "c1" }] },
      { last_assistant_message: "Done.", background_tasks: [{ id: "b1" }], session_crons: [{ id: "c1" }] },
    ],
    [
      "Stop",
      { prompt_id: "p1" },
      { prompt_id: "p1", last_assistant_message: "", background_tasks: [], session_crons: [] },
    ],
    ["Stop", { prompt_id: 7 }, { last_assistant_message: "", background_tasks: [], session_crons: [] }],
    ["Stop", {}, { last_assistant_message: "", background_tasks: [], session_crons: [] }],
    [
      "Stop",
      { last_assistant_message: null, stop_hook_active: false },
      { last_assistant_message: "", background_tasks: [], session_crons: [] },
    ],
    [
      "StopFailure",
      { error: "rate_limit", last_assistant_message: "You've hit your limit" },
      { error: "rate_limit", last_assistant_message: "You've hit your limit" },
    ],
    ["StopFailure", { error: "server_error" }, { error: "server_error", last_assistant_message: "" }],
    ["SessionEnd", { reason: "prompt_input_exit" }, { reason: "prompt_input_exit" }],
  ])("%s %j", (hook_event_name, given, kept) => {
    expect(parse({ hook_event_name, ...given })).toEqual({ ...KEPT, hook_event_name, ...kept });
  });

  test("without the transcript's path, too", () => {
    const event = { session_id: "a", hook_event_name: "SessionStart", source: "startup" };
    expect(parseHookEvent(JSON.stringify(event))).toEqual(event);
  });
});

describe("what tells nothing about a run is no event", () => {
  test.each(["Notification", "PermissionRequest", "SubagentStop", "PreToolUse", "PreCompact", "stop", ""])(
    "an event that we do not know: %j",
    (hook_event_name) => {
      expect(parse({ hook_event_name })).toBeNull();
    },
  );

  test.each<[string, object]>([
    ["a SessionStart without its source", { hook_event_name: "SessionStart" }],
    ["a UserPromptSubmit without its prompt", { hook_event_name: "UserPromptSubmit" }],
    ["a prompt that is no text", { hook_event_name: "UserPromptSubmit", prompt: 1 }],
    ["a StopFailure without its error", { hook_event_name: "StopFailure" }],
    ["a SessionEnd without its reason", { hook_event_name: "SessionEnd" }],
    ["background tasks that are no list", { hook_event_name: "Stop", background_tasks: "none" }],
    ["no session", { hook_event_name: "Stop", session_id: undefined }],
    ["no event's name", {}],
  ])("%s", (_what, event) => {
    expect(parse(event)).toBeNull();
  });

  test.each(["", "{", "null", "[]", "42", '"Stop"', "{}", "\u0000", '{"hook_event_name":"Stop"', "not json at all"])(
    "%j",
    (text) => {
      expect(parseHookEvent(text)).toBeNull();
    },
  );
});
