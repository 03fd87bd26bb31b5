import { Argument, type Command, InvalidArgumentError, Option } from "commander";

/** What is told of a verb's end: its exit code. */
export type OnEnd = (code: number) => void;

/** Where the configuration is, for all verbs that need one. */
export function withConfig(command: Command): Command {
  return command.option(
    "-c, --config <file>",
    "the configuration file (default: ./ccl-queue.yaml, then ~/.config/ccl-queue/config.yaml)",
  );
}

/** A verb that reads: it can also print JSON. */
export function withJson(command: Command, description = "print JSON"): Command {
  return withConfig(command).option("--json", description);
}

/** What follows the help: each line with the command that does it. */
export function withExamples(command: Command, examples: readonly (readonly [command: string, what: string])[]): void {
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  $ ccl-queue ${line.padEnd(width)}  # ${what}`);
  command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** One or several tasks. */
export function taskArgument(name: string): Argument {
  return new Argument(name, "a file's name (fix.md, site/fix.md, a path), or the beginning of an id");
}

/** An option that takes some of these words: it may be repeated, and they may be joined by commas. */
export function someOf(flags: string, description: string, choices: readonly string[]): Option {
  const collect = (text: string, before: unknown): string[] => {
    const words = text.split(",").map((word) => word.trim());
    const wrong = words.find((word) => !choices.includes(word));
    if (wrong !== undefined) throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
    return [...(Array.isArray(before) ? before.map(String) : []), ...words];
  };
  return new Option(flags, description).choices(choices).argParser(collect);
}

/** An option that takes a whole number. */
export function wholeNumber(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, description).argParser((text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`);
  });
}
