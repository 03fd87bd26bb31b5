import { loadConfig } from "../config/config.ts";
import { readEnvironment } from "../config/environment.ts";
import { QueueError } from "../core/errors.ts";
import { cleanLine } from "./clean.ts";
import { ok, problem } from "./doctor/check.ts";
import { lookAtNode } from "./doctor/node.ts";
import { CHECKS, type Checked, runChecks } from "./doctor/run-checks.ts";
import { EXIT } from "./exit.ts";
import { configFile, noConfig } from "./find-config.ts";
import { printJson, printLines } from "./print.ts";
import { withProgress } from "./progress.ts";
import { type Screen, screenOf } from "./screen.ts";

export interface DoctorOptions {
  readonly config?: string;
  readonly json?: true;
  readonly repair?: true;
}

/** Claude Code may take a while to start. */
const TIMEOUT_MS = 25_000;
const SIGNS = { ok: "✓", warning: "!", problem: "✗" } as const;

/** `ccl-queue doctor`: looks at all that the queue needs. Returns the exit code. */
export async function doctor(options: DoctorOptions): Promise<number> {
  if (options.repair) {
    await (await import("./repair.ts")).repair(options);
    return EXIT.ok;
  }
  const checks = await withProgress("looking", async () => await lookAtAll(options));
  const isWell = checks.every(({ level }) => level !== "problem");
  if (options.json) printJson({ ok: isWell, checks });
  else printLines(describeChecks(checks, screenOf(process.stdout)));
  return isWell ? EXIT.ok : EXIT.error;
}

/** Everything else depends on the configuration. */
async function lookAtAll(options: DoctorOptions): Promise<Checked[]> {
  const environment = readEnvironment();
  try {
    const file = await configFile(options.config, environment);
    if (file === null) throw noConfig();
    const config = loadConfig(file, environment);
    return [{ check: "config", ...ok(file) }, ...(await runChecks(CHECKS, config, TIMEOUT_MS))];
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    const unusable = problem(error.message, error.hint ?? "docs/configuration.md lists every key");
    const node = (await lookAtNode()).map((finding) => ({ check: "node", ...finding }));
    return [{ check: "config", ...unusable }, ...node];
  }
}

/** What was found, line by line: each thing to do stands below what it mends. */
export function describeChecks(checks: readonly Checked[], { colours }: Screen): string[] {
  const width = Math.max(...checks.map(({ check }) => check.length));
  const paint = { ok: colours.green, warning: colours.yellow, problem: colours.red };
  const indent = " ".repeat(width + 4);
  const lines = checks.flatMap(({ check, level, found, mend }) => {
    const [first = "", ...more] = found.split("\n").map(cleanLine);
    return [
      `${paint[level](SIGNS[level])} ${check.padEnd(width)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(mend === null ? [] : [`${indent}→ ${cleanLine(mend)}`]),
    ];
  });
  return [...lines, "", summary(checks)];
}

function summary(checks: readonly Checked[]): string {
  const count = (level: Checked["level"]) => checks.filter((check) => check.level === level).length;
  const [problems, warnings] = [count("problem"), count("warning")];
  if (problems + warnings === 0) return "all is well";
  return `${problems} to mend, ${warnings} to look at`;
}
