import { execa } from "execa";

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;

/** How a command ended, and what it wrote. */
export interface Ended {
  readonly code: number | undefined;
  readonly out: string;
  readonly err: string;
}

/** Where and how a command is run. */
export interface Run {
  readonly cwd?: string;
  /** What it can read from stdin. */
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** A program that starts it, with its arguments. */
  readonly under?: readonly string[];
}

/** Runs `ccl-queue` to its end. Neither stdin nor stdout is a terminal. */
export async function command(
  args: readonly string[],
  { cwd, input = "", environment = {}, under = [] }: Run = {},
): Promise<Ended> {
  const env = { REDIS_URL: "", CCL_QUEUE_CONFIG: "", NO_COLOR: "", FORCE_COLOR: "", ...environment };
  const options = {
    env,
    input,
    reject: false,
    stripFinalNewline: false,
    ...(cwd === undefined ? {} : { cwd }),
  } as const;
  const [program = "", ...rest] = [...under, process.execPath, MAIN, ...args];
  const { exitCode, stdout, stderr } = await execa(program, rest, options);
  return { code: exitCode, out: stdout, err: stderr };
}
