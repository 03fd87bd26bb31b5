import type { Command } from "commander";
import type { Candidate } from "./candidate.ts";

export interface Candidates {
  readonly values: readonly Candidate[];
  /** Any file may stand there, too. */
  readonly files: boolean;
}

/** The last word of a command line, as far as it was typed, and what it belongs to. */
interface Typed {
  readonly before: readonly string[];
  readonly current: string;
  /** The option whose value it is, if that takes one. */
  readonly option: string | null;
  /** What the shell takes for a part of the same word. */
  readonly prefix: string;
}

const FILES: Candidates = { values: [], files: true };
const NOTHING: Candidates = { values: [], files: false };

/** How the last of these words may go on. The words follow the program's name. */
export async function candidatesFor(program: Command, words: readonly string[]): Promise<Candidates> {
  const typed = typedIn(words);
  const verb = verbIn(program, typed.before);
  const { values, files } = await allFor(program, verb, typed);
  const fitting = values.filter(({ value }) => value.startsWith(typed.current));
  return { values: fitting.map(({ value, about }) => ({ value: typed.prefix + value, about })), files };
}

async function allFor(program: Command, verb: Command | null, typed: Typed): Promise<Candidates> {
  const isOption = typed.current.startsWith("-") && !typed.before.includes("--");
  const ofOption = verb?.options.find(({ long, short }) => [long, short].includes(typed.option ?? undefined));
  if (verb !== null && ofOption?.required) return await byName(ofOption.long ?? "", ofOption.argChoices, verb, typed);
  if (isOption) return { values: optionsOf(verb ?? program), files: false };
  if (verb === null) return { values: program.commands.map(about), files: false };
  const place = argumentsIn(verb, typed.before).length;
  const last = verb.registeredArguments.at(-1);
  const argument = verb.registeredArguments[place] ?? (last?.variadic ? last : undefined);
  return argument === undefined ? NOTHING : await byName(argument.name(), argument.argChoices, verb, typed);
}

/** bash takes = for a word of its own; the others leave it in the word. */
function typedIn(words: readonly string[]): Typed {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? "";
  const [, long, value = ""] = /^(--[\w-]+)=(.*)$/.exec(current) ?? [];
  if (long !== undefined) return { before, current: value, option: long, prefix: `${long}=` };
  if (current === "=") return { before, current: "", option: before.at(-1) ?? null, prefix: "" };
  const option = before.at(-1) === "=" ? before.at(-2) : before.at(-1);
  return { before, current, option: option ?? null, prefix: "" };
}

function verbIn(program: Command, before: readonly string[]): Command | null {
  const name = before.find((word) => !word.startsWith("-"));
  return program.commands.find((verb) => name !== undefined && [verb.name(), ...verb.aliases()].includes(name)) ?? null;
}

/** The words after the verb that are neither options nor the values of options. */
function argumentsIn(verb: Command, before: readonly string[]): string[] {
  const words = before.slice(before.findIndex((word) => !word.startsWith("-")) + 1);
  const isValue = (index: number) => {
    const option = words[index - 1] === "=" ? words[index - 2] : words[index - 1];
    return verb.options.some(({ long, short, required }) => required && [long, short].includes(option));
  };
  return words.filter((word, index) => word !== "=" && !word.startsWith("-") && !isValue(index));
}

/** What an option or an argument of this name takes. */
async function byName(
  name: string,
  choices: readonly string[] | undefined,
  verb: Command,
  { before }: Typed,
): Promise<Candidates> {
  if (choices !== undefined) return { values: choices.map((value) => ({ value, about: "" })), files: false };
  if (["--config", "file", "text"].includes(name)) return FILES;
  const { goneHostNames, projectNames, taskNames, sessionNames } = await import("./names.ts");
  const config = configIn(before);
  switch (name) {
    case "--project":
      return { values: await projectNames(config), files: false };
    case "--host":
      return { values: await goneHostNames(config), files: false };
    case "task":
      return { values: await taskNames(config, verb.name()), files: false };
    case "session|task":
      return {
        values: [...(await sessionNames(config)), ...(await taskNames(config, verb.name()))],
        files: false,
      };
    default:
      return NOTHING;
  }
}

function configIn(before: readonly string[]): string | undefined {
  const index = before.findLastIndex((word) => word === "-c" || word === "--config");
  return index < 0 ? undefined : before[before[index + 1] === "=" ? index + 2 : index + 1];
}

function optionsOf(command: Command): Candidate[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ value: long ?? short ?? "", about: description }));
}

function about(command: Command): Candidate {
  return { value: command.name(), about: command.description() };
}
