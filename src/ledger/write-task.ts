import { randomUUID } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import type { Priority, TaskFile } from "../core/task.ts";
import { inboxDir, taskPath } from "./layout.ts";
import { placeNew } from "./place-new.ts";

const FENCE = /^---(?!-)[^\r\n]*/;

/** Puts a text into an inbox, whole, under a name that is not taken. Returns its path. */
export async function writeTask(task: TaskFile, text: string): Promise<string> {
  const inbox = inboxDir(task.project);
  await mkdir(inbox, { recursive: true });
  const draft = join(inbox, `.${randomUUID()}.draft`);
  try {
    await writeFile(draft, text, { flag: "wx", flush: true });
    return await placeNew(draft, taskPath(task));
  } finally {
    await rm(draft, { force: true });
  }
}

/** A task's text with this priority in its frontmatter, which is made where there is none. */
export function withPriority(text: string, priority: Priority): string {
  const bare = text.replace(/^\uFEFF/, "");
  const [fence] = FENCE.exec(bare) ?? [];
  if (fence === undefined) return `---\npriority: ${priority}\n---\n${bare}`;
  const end = bare.indexOf("\n---");
  const header = parseDocument(bare.slice(fence.length, end).replace(/\r$/, ""));
  header.set("priority", priority);
  return `---\n${header.toString().trim()}${bare.slice(end)}`;
}
