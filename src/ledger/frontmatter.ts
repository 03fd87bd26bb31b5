import matter from "gray-matter";
import { isCollection, LineCounter, parseDocument, visit } from "yaml";
import { messageOf } from "../core/errors.ts";

/** A text's frontmatter (null = it has none) and what follows it, or the reason why it cannot be read. */
export type Frontmatter =
  | { readonly ok: true; readonly data: unknown; readonly body: string }
  | { readonly ok: false; readonly reason: string };

const FENCE = /^---(?!-)[ \t]*([^\r\n]*)/;
const CLOSING_FENCE = "\n---";
/** Far more than any header needs, and too little to keep a parser busy. */
const MAX_BYTES = 16 * 1024;
/** Far more levels than any header needs. A parser that meets thousands runs out of stack, which can end the process. */
const MAX_NESTING = 100;
const BRACKET = /[[{]/g;
/** What opens a level of a block; there may be one on each line, as lines of deeper levels are longer. */
const BLOCK_MARK = /[-?:](?=\s|$)/g;
/** Enough for honest anchors, too few for a file that unfolds into gigabytes. */
const MAX_ALIASES = 100;

/** YAML is the only language read: gray-matter's own engines would run JavaScript found in a task. */
const options = {
  language: "yaml",
  engines: { yaml: parseYaml, javascript: refuse, js: refuse, json: refuse, coffee: refuse },
};

/** Splits a task's text at its frontmatter. Never throws. */
export function splitFrontmatter(text: string): Frontmatter {
  const [fence, rest] = FENCE.exec(text) ?? [];
  if (fence === undefined) return { ok: true, data: null, body: text };
  const language = rest?.trim();
  if (language !== "" && language !== "yaml")
    return failed(`line 1: frontmatter in "${language}" is not read, only YAML is`);
  const end = text.indexOf(CLOSING_FENCE);
  if (end < 0) return failed("line 1: the frontmatter is opened by --- and never closed");
  if (end > MAX_BYTES) return failed("it is longer than 16 KiB");
  if (mayNestDeep(text.slice(fence.length, end))) return failed("it has more brackets and levels than a header needs");
  try {
    const { data, content } = matter(text, options);
    return { ok: true, data: data["header"], body: content };
  } catch (error) {
    return failed(messageOf(error));
  }
}

/** Whether a header could be nested too deep, by its characters alone: to parse it is what must not be done then. */
function mayNestDeep(yaml: string): boolean {
  const levels = yaml.split("\n").map((line) => {
    const marks = line.match(BLOCK_MARK)?.length ?? 0;
    return (line.match(BRACKET)?.length ?? 0) + Math.max(0, marks - 1);
  });
  return levels.reduce((sum, level) => sum + level, 0) > MAX_NESTING;
}

/** The YAML between the fences. A byte order mark before the first key is no part of it. */
export function headerText(yaml: string): string {
  return yaml.replace(/\r$/, "").replace(/^([ \t\r\n]*)\uFEFF+/, "$1");
}

/** The header is wrapped: gray-matter itself acts on some keys that it finds at the top. */
function parseYaml(yaml: string): { header: object } {
  const lines = new LineCounter();
  const document = parseDocument(headerText(yaml), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  // The text starts behind the fence, on the file's first line: its lines are the file's.
  const failAt = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    throw new Error(`line ${line}, column ${col}: ${what}`);
  };
  const [error] = document.errors;
  if (error !== undefined) failAt(error.pos[0], error.message);
  // The parser writes such a key as text, over and over where one holds another.
  visit(document, {
    Pair: (_, { key }) => {
      if (isCollection(key)) failAt(key.range?.[0] ?? 0, "a key has to be a word");
    },
  });
  const data: unknown = toPlain(document);
  if (data === null) return { header: {} };
  if (!isPlain(data)) throw new Error("line 2: the frontmatter is not a list of keys");
  return { header: data };
}

/** A set, an ordered map or a list is no header, either. */
function isPlain(data: unknown): data is object {
  return typeof data === "object" && data !== null && Object.getPrototypeOf(data) === Object.prototype;
}

function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new Error(`the frontmatter cannot be unfolded: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function refuse(): never {
  throw new Error("line 1: only YAML frontmatter is read");
}

function failed(reason: string): Frontmatter {
  return { ok: false, reason };
}
