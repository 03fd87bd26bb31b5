import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { messageOf, QueueError } from "../../core/errors.ts";
import type { TaskHeader } from "../../core/task.ts";
import { inboxDir } from "../../ledger/layout.ts";
import { MAX_TASK_BYTES, parseTask } from "../../ledger/parse-task.ts";
import { complain } from "./output.ts";

/** A task as the command line gives it. */
export interface TaskInput {
  readonly header: TaskHeader;
  readonly prompt: string;
  /** The names of its project and of its file. */
  readonly project: string;
  readonly name: string;
  /** The same for the same content at the same path. */
  readonly key: string;
}

const STDIN = "-";

/** Reads a task file, or stdin for `-`, and warns of what it does not understand. @throws {QueueError} TASK_INVALID */
export async function readTaskInput(file: string): Promise<TaskInput> {
  const bytes = await readAll(file);
  const parsed = parseTask(bytes);
  if (!parsed.ok) throw new QueueError(`${file}: ${parsed.reason}`, { code: "TASK_INVALID" });
  for (const warning of parsed.warnings) complain(`warning: ${file}: ${warning}`);
  const path = resolve(file);
  return {
    header: parsed.header,
    prompt: parsed.prompt,
    project: basename(projectOf(path)),
    name: file === STDIN ? "stdin" : basename(path),
    key: `ccl-delegate-${createHash("sha256").update(`${path}\0`).update(bytes).digest("hex").slice(0, 32)}`,
  };
}

async function readAll(file: string): Promise<Buffer> {
  try {
    return await readStart(file === STDIN ? process.stdin : createReadStream(file));
  } catch (error) {
    throw new QueueError(`${file} cannot be read: ${messageOf(error)}`, { code: "TASK_INVALID", cause: error });
  }
}

/** No more than it takes to see that there is too much. */
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

/** Whose inbox it lies in, else the directory that it lies in. */
function projectOf(path: string): string {
  const above = resolve(path, "../../..");
  return inboxDir(above) === dirname(path) ? above : dirname(path);
}
