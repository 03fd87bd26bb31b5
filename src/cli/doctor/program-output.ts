import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { childEnvironment } from "../../config/environment.ts";
import { isSystemError } from "../../core/errors.ts";

const TIMEOUT_MS = 10_000;
const execute = promisify(execFile);

/** What a program says on stdout, null where there is no such program. Throws when it fails. */
export async function programOutput(program: string, ...args: string[]): Promise<string | null> {
  const options = { env: childEnvironment(), timeout: TIMEOUT_MS, killSignal: "SIGKILL" } as const;
  try {
    return (await execute(program, args, options)).stdout.trim();
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return null;
    throw error;
  }
}
