import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { isSystemError, messageOf, QueueError } from "../core/errors.ts";
import { MAX_TASK_BYTES } from "../ledger/parse-task.ts";

/** Stands for stdin where a file may be named. */
export const STDIN = "-";

/** The bytes of a file, or of stdin for `-`: no more than it takes to see that it is too large. @throws {QueueError} TASK_INVALID */
export async function readInput(file: string): Promise<Buffer> {
  try {
    return await readStart(file === STDIN ? process.stdin : createReadStream(file));
  } catch (error) {
    const why = isSystemError(error, "ENOENT") ? "there is no such file" : messageOf(error);
    throw new QueueError(`${file} cannot be read: ${why}`, { code: "TASK_INVALID", cause: error });
  }
}

async function readStart(input: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const part: Uint8Array = chunk;
    chunks.push(part);
    bytes += part.length;
    if (bytes > MAX_TASK_BYTES) break;
  }
  return Buffer.concat(chunks);
}
