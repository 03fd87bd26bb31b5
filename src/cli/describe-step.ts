import type { TaskStep } from "../control/task-view.ts";
import { cleanLine, cleanLines } from "./clean.ts";
import type { Screen } from "./screen.ts";

/** One step on a task's way: when, what kind, and its text, further lines of which stand below the first. */
export function describeStep({ at, type, text }: TaskStep, { colours }: Screen): string[] {
  const head = `${clock(at)}  ${cleanLine(type).padEnd(TYPE_WIDTH)}`;
  const [first = "", ...more] = cleanLines(text);
  const indent = " ".repeat(head.length + 2);
  return [`${colours.dim(head)}  ${first}`, ...more.map((line) => `${indent}${line}`)].map((line) => line.trimEnd());
}

/** The longest type of a step has so many letters. */
const TYPE_WIDTH = 9;

/** The local date and time: a task may take days. */
function clock(at: string): string {
  const date = new Date(at);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
