import { formatDuration } from "../core/duration.ts";
import { parseRunId } from "../core/id.ts";

const START = "<!-- ccl-queue:footer -->";
const END = "<!-- /ccl-queue:footer -->";

/** What a finished task's file says below its original text. Absent figures are not known. */
export interface Footer {
  readonly result: "done" | "failed" | "rejected" | "cancelled";
  readonly finishedAt: Date;
  readonly error?: { readonly code: string; readonly message: string } | undefined;
  readonly route?: string;
  readonly session?: string;
  readonly provider?: string;
  readonly model?: string | undefined;
  readonly run?: string;
  readonly attempts?: number;
  readonly durationMs?: number;
  readonly tokens?: { readonly input: number; readonly output: number } | undefined;
  readonly costUsd?: number | undefined;
  /** The agent's last message or the platform's result; the screen where that is all there is. */
  readonly text?: string | undefined;
}

/** The footer as it stands in the file, from the blank line before it to its last line. */
export function renderFooter(footer: Footer): string {
  const rows = rowsOf(footer).map(([name, value]) => `| ${name} | ${cell(value)} |`);
  const text = footer.text === undefined ? [] : ["", ...quote(footer.text)];
  return ["", "", START, "---", "", `| ccl-queue | ${footer.result} |`, "|---|---|", ...rows, ...text, END, ""].join(
    "\n",
  );
}

/** A task's text without the footer of an earlier run, so that a file put back runs as it was first written. */
export function stripFooter(text: string): string {
  const footer = findFooter(text);
  if (footer === null) return text;
  const before = text.slice(0, footer.start);
  const after = text.slice(footer.end);
  const separator = before === "" || after === "" || before.endsWith("\n") ? "" : footer.eol;
  return before + separator + after;
}

/** Whether a finished file was written for this run. */
export function isFooterOf(text: string, run: string): boolean {
  const footer = findFooter(text);
  return footer !== null && text.slice(footer.start, footer.end).includes(`\n| run | ${run} |\n`);
}

/** Whether a finished file was written for this run or a later one of the same task; a cancellation is no run's. */
export function isFooterSince(text: string, run: string): boolean {
  if (isFooterOf(text, run)) return true;
  const first = parseRunId(run);
  const footer = readFooter(text);
  const written = parseRunId(footer?.rows.get("run") ?? "");
  if (first === null || written === null || footer?.result === "cancelled") return false;
  return written.id === first.id && written.runs >= first.runs;
}

/** What a footer says, read back. */
export interface ReadFooter {
  /** done, failed, rejected or cancelled. */
  readonly result: string;
  /** The rows of its table by name, such as `run` or `error`. */
  readonly rows: ReadonlyMap<string, string>;
  readonly text: string | null;
}

/** The footer of a finished file, null where there is none. */
export function readFooter(text: string): ReadFooter | null {
  const footer = findFooter(text);
  if (footer === null) return null;
  const lines = text.slice(footer.start, footer.end).split(/\r?\n/);
  const rows = new Map(lines.flatMap((line) => readRow(line) ?? []));
  const quoted = lines.filter((line) => line.startsWith(">")).map((line) => line.replace(/^> ?/, ""));
  return { result: rows.get("ccl-queue") ?? "", rows, text: quoted.length === 0 ? null : quoted.join("\n") };
}

function readRow(line: string): [[string, string]] | null {
  const [, name, value] = /^\| ([\w-]+) \| (.*) \|$/s.exec(line) ?? [];
  return name === undefined || value === undefined ? null : [[name, value.replaceAll("\\|", "|")]];
}

/** Where the last footer stands, with the line breaks that were put before it, also after an editor changed those. */
function findFooter(text: string): { start: number; end: number; eol: string } | null {
  const start = lastLine(text, START);
  if (start === null) return null;
  const eol = text.startsWith("\r\n", start + START.length) ? "\r\n" : "\n";
  const close = text.indexOf(`\n${END}`, start);
  const afterEnd = close + 1 + END.length;
  if (close < 0 || !isLineEnd(text, afterEnd)) return null;
  const breaks = [eol + eol, eol, ""].find((suffix) => text.slice(0, start).endsWith(suffix)) ?? "";
  return { start: start - breaks.length, end: afterEnd + (text.startsWith(eol, afterEnd) ? eol.length : 0), eol };
}

/** Where a line of exactly this text begins, the last one there is. */
function lastLine(text: string, line: string): number | null {
  for (let index = text.lastIndexOf(`\n${line}`); index >= 0; index = text.lastIndexOf(`\n${line}`, index - 1)) {
    if (isLineEnd(text, index + 1 + line.length)) return index + 1;
    if (index === 0) break;
  }
  return null;
}

function isLineEnd(text: string, index: number): boolean {
  return index === text.length || text.startsWith("\n", index) || text.startsWith("\r\n", index);
}

function rowsOf(footer: Footer): [string, string][] {
  const { error, tokens, costUsd, durationMs, attempts } = footer;
  const rows: [string, string | undefined][] = [
    ["error", error && `${error.code}: ${error.message}`],
    ["route", footer.route],
    ["session", footer.session],
    ["provider", footer.provider],
    ["model", footer.model],
    ["attempts", attempts?.toString()],
    ["duration", durationMs === undefined ? undefined : formatDuration(durationMs)],
    ["tokens", tokens && `${tokens.input.toLocaleString("en")} in, ${tokens.output.toLocaleString("en")} out`],
    ["cost", costUsd === undefined ? undefined : `$${costUsd.toFixed(4)}`],
    ["run", footer.run],
    ["finished", footer.finishedAt.toISOString()],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
}

/** On one line. Not by one pattern: many blanks without a line break would keep it busy. */
function cell(text: string): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .join(" ")
    .replaceAll("|", "\\|");
}

/** Every line is quoted: nothing an agent says can end the footer or start another. */
function quote(text: string): string[] {
  return text
    .trimEnd()
    .split(/\r\n|\r|\n/)
    .map((line) => (line === "" ? ">" : `> ${line}`));
}
