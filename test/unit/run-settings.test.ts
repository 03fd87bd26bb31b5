import { describe, expect, test } from "vitest";
import { z } from "zod";
import { runSettings } from "../../src/workers/claude/settings.ts";

const command = z.object({ type: z.literal("command"), command: z.string(), timeout: z.number().optional() });
const settings = z
  .object({
    hooks: z.record(z.string(), z.array(z.object({ hooks: z.array(command) }))),
    statusLine: command,
    permissions: z.object({ deny: z.array(z.string()) }),
  })
  .loose()
  .parse(runSettings());
const hooks = Object.entries(settings.hooks).map(([event, groups]) => ({
  event,
  commands: groups.flatMap((group) => group.hooks),
}));

test("the settings are the same for every run: nothing in them depends on a task", () => {
  expect(runSettings.length).toBe(0);
  expect(JSON.stringify(runSettings())).toBe(JSON.stringify(runSettings()));
});

describe("a command", () => {
  const constant = (mode: string) => `sh "$CCL_QUEUE_RUN/hook.sh" ${mode} || :`;

  test.each(hooks)(
    "of the hook $event is a constant string: the run's directory comes from the environment",
    ({ event, commands }) => {
      const mode = event === "PermissionRequest" ? "deny" : "event";
      expect(commands.map((each) => each.command)).toEqual([constant(mode)]);
    },
  );

  const ends = ["Stop", "StopFailure"];

  test.each(hooks.filter(({ event }) => !ends.includes(event)))(
    "of the hook $event may not hold the agent up",
    ({ commands }) => {
      expect(commands.filter(({ timeout = 600 }) => timeout > 10)).toEqual([]);
    },
  );

  test.each(ends)("of the hook %s, after which the agent has nothing to do, may wait for space on a disk", (event) => {
    const end = hooks.find((hook) => hook.event === event);
    expect(end?.commands.map(({ timeout }) => timeout)).toEqual([600]);
  });

  test("of the last hook may hold its end up for 2 s only", () => {
    const last = hooks.find(({ event }) => event === "SessionEnd");
    expect(last?.commands.map(({ timeout }) => timeout)).toEqual([2]);
  });

  test("of the status line is a constant string", () => {
    expect(settings.statusLine.command).toBe(constant("status"));
  });
});

test.each(["SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "SessionEnd", "Notification"])(
  "the queue hears of %s",
  (event) => {
    expect(hooks.map((hook) => hook.event)).toContain(event);
  },
);

test("hooks are on, no dialog stands in the way, and nothing goes on by itself after a limit", () => {
  expect(settings).toMatchObject({
    disableAllHooks: false,
    skipDangerousModePermissionPrompt: true,
    enableAllProjectMcpServers: true,
    autoContinueAtUsageLimit: false,
  });
});

test("tools that end in a question to a person are denied", () => {
  expect(settings.permissions.deny).toEqual(["AskUserQuestion", "EnterPlanMode", "ExitPlanMode"]);
});
