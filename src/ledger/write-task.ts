import { mkdir, rm, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { Document, isMap, isNode, parseDocument, stringify } from "yaml";
import type { Priority, TaskFile } from "../core/task.ts";
import { writeTrouble } from "../core/write-trouble.ts";
import { headerText } from "./frontmatter.ts";
import { inboxDir, inboxDraftPath, taskPath } from "./layout.ts";
import { placeNew } from "./place-new.ts";

const FENCE = /^---(?!-)[^\r\n]*/;

/** Puts a text into an inbox, whole, under a name that is not taken. Returns its path. */
export async function writeTask(task: TaskFile, text: string): Promise<string> {
  const inbox = inboxDir(task.project);
  await mkdir(inbox, { recursive: true });
  const draft = inboxDraftPath(task.project);
  try {
    await writeFile(draft, text, { flag: "wx", flush: true });
    return await placeNew(draft, taskPath(task));
  } catch (error) {
    throw writeTrouble(inbox, error);
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
  const header = readHeader(headerText(bare.slice(fence.length, end)));
  // A tag would make something else of the value, or of the whole.
  for (const node of [header.contents, header.get("priority", true)]) if (isNode(node)) delete node.tag;
  header.set("priority", priority);
  return `---\n${render(header).replace(/\n$/, "")}${bare.slice(end)}`;
}

/** A header with its comments, where it can be written so that it means the same. */
function render(header: Document): string {
  const data: unknown = header.toJS();
  const kept = header.toString({ directives: false, lineWidth: 0 });
  const again = parseDocument(kept);
  return again.errors.length === 0 && isDeepStrictEqual(again.toJS(), data) ? kept : stringify(data, { lineWidth: 0 });
}

/** A header that can be added to. Blanks are one that says nothing, though not in YAML. */
function readHeader(yaml: string): Document {
  const header = parseDocument(yaml);
  if (header.errors.length > 0) return new Document();
  if (!isMap(header.contents)) header.contents = null;
  return header;
}
