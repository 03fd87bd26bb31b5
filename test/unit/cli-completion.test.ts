import { describe, expect, test } from "vitest";
import { candidatesFor } from "../../src/cli/completion/candidates.ts";
import { SCRIPTS } from "../../src/cli/completion/scripts.ts";
import { createProgram } from "../../src/cli/program.ts";
import { taskView } from "../../src/control/task-view.ts";
import { PRIORITIES } from "../../src/core/task.ts";

const program = createProgram();
const visible = (name: string) =>
  program.createHelp().visibleOptions(program.commands.find((verb) => verb.name() === name) ?? program);

/** What may come in place of the last word. */
async function values(...words: string[]): Promise<string[]> {
  const { values, files } = await candidatesFor(program, words);
  return [...values.map(({ value }) => value), ...(files ? [":files"] : [])];
}

describe("a command line goes on", () => {
  test("with every verb, and with those that begin so", async () => {
    expect(await values("")).toEqual(program.commands.map((verb) => verb.name()));
    expect(await values("re")).toEqual(["retry", "resume"]);
    expect(await values("zzz")).toEqual([]);
  });

  test("with the options of a verb, also by its alias, and with those of the program", async () => {
    expect(await values("list", "--")).toEqual(visible("list").map(({ long }) => long));
    expect(await values("ls", "--st")).toEqual(["--state"]);
    expect(await values("start", "--o")).toEqual([]);
    expect(await values("-")).toEqual(["--version", "--help"]);
  });

  test.each([
    ["as a word", ["--state", "d"], ["delayed", "delegated", "done"]],
    ["in the same word", ["--state=d"], ["--state=delayed", "--state=delegated", "--state=done"]],
    ["split by bash", ["--state", "=", "d"], ["delayed", "delegated", "done"]],
    ["after the short name", ["-s", "fa"], ["failed"]],
  ])("with the values of an option %s", async (_how, words, expected) => {
    expect(await values("list", ...words)).toEqual(expected);
  });

  test("with all values where bash has split off the =", async () => {
    expect(await values("add", "--priority", "=")).toEqual([...PRIORITIES]);
  });

  test("with nothing where anything may stand", async () => {
    expect(await values("list", "--tag", "")).toEqual([]);
    expect(await values("list", "--limit", "")).toEqual([]);
    expect(await values("list", "")).toEqual([]);
  });

  test("with files where one is meant", async () => {
    for (const words of [
      ["route", ""],
      ["add", "x"],
      ["init", ""],
      ["status", "-c", ""],
      ["status", "--config=x"],
    ])
      expect(await values(...words)).toEqual([":files"]);
    expect(await values("route", "x.md", "")).toEqual([]);
    expect(await values("add", "x", "y")).toEqual([":files"]);
    expect(await values("add", "--priority", "low", "")).toEqual([":files"]);
  });

  test("with the shells", async () => {
    expect(await values("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(Object.keys(SCRIPTS)).toEqual(await values("completion", ""));
  });

  test("with nothing of a daemon that is away, nor of a configuration that is not there", async () => {
    for (const verb of ["show", "cancel", "retry", "attach"])
      expect(await values(verb, "-c", "/nowhere.yaml", "")).toEqual([]);
    expect(await values("list", "-c", "/nowhere.yaml", "--project", "")).toEqual([]);
    expect(await values("adopt", "-c", "/nowhere.yaml", "--host", "")).toEqual([]);
  });
});

test("each choice of list is one of the API's, and none is left out", () => {
  const list = program.commands.find((verb) => verb.name() === "list");
  const choices = (long: string) => list?.options.find((option) => option.long === long)?.argChoices;
  expect(choices("--state")?.toSorted()).toEqual(taskView.shape.state.options.toSorted());
  expect(choices("--route")?.toSorted()).toEqual(taskView.shape.route.unwrap().options.toSorted());
});
