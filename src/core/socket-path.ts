import { join } from "node:path";
import { QueueError } from "./errors.ts";

/** The kernel's limit for a unix socket's path, less its final NUL, on the systems that allow least. */
const MAX_BYTES = 103;

/** The path of a unix socket in the state directory. @throws {QueueError} STATE_DIR_TOO_LONG */
export function socketPath(stateDir: string, name: string): string {
  const path = join(stateDir, name);
  if (Buffer.byteLength(path) <= MAX_BYTES) return path;
  throw new QueueError(`${stateDir} is too long for a unix socket in it`, {
    code: "STATE_DIR_TOO_LONG",
    hint: `set state_dir to a path of at most ${MAX_BYTES - name.length - 1} bytes`,
  });
}
