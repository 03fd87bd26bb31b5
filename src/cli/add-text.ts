import { isUtf8 } from "node:buffer";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { QueueError } from "../core/errors.ts";
import { isTaskName } from "../ledger/layout.ts";
import { MAX_TASK_BYTES } from "../ledger/parse-task.ts";
import { UsageError } from "./exit.ts";
import { readInput, STDIN } from "./read-input.ts";

/** A task's text, and the name of the file that it stood in, if it may be an inbox's. */
export interface DraftText {
  readonly text: string;
  readonly fileName: string | null;
}

/** The text that words of the command line stand for: their own, a file's, or stdin's. @throws {QueueError} TASK_INVALID */
export async function readDraft(words: readonly string[]): Promise<DraftText> {
  const [only = "", ...others] = words;
  if (others.length > 0) return { text: words.join(" "), fileName: null };
  if (only === STDIN) return { text: await readText(STDIN), fileName: null };
  if (!(await isFile(only))) return { text: plainText(only), fileName: null };
  const name = basename(only);
  return { text: await readText(only), fileName: isTaskName(name) ? name : null };
}

/** One word that looks like a file's name is a slip rather than a task. */
function plainText(word: string): string {
  if (/^\S+\.md$|^\.{0,2}\/\S*$/.test(word)) throw new UsageError(`there is no file ${word}`);
  return word;
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => !stats.isDirectory(),
    () => false,
  );
}

async function readText(file: string): Promise<string> {
  const bytes = await readInput(file);
  const wrong = (why: string) => new QueueError(`${file} cannot be added: ${why}`, { code: "TASK_INVALID" });
  if (bytes.length > MAX_TASK_BYTES) throw wrong("it is larger than 1 MiB");
  if (!isUtf8(bytes)) throw wrong("it is not UTF-8 text");
  return bytes.toString();
}
