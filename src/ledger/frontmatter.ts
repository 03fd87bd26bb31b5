import matter from "gray-matter";
import { LineCounter, parseDocument } from "yaml";

/** A text's frontmatter (null = it has none) and what follows it, or the reason why it cannot be read. */
export type Frontmatter =
  | { readonly ok: true; readonly data: unknown; readonly body: string }
  | { readonly ok: false; readonly reason: string };

const FENCE = /^---(?!-)[ \t]*([^\r\n]*)/;
const CLOSING_FENCE = "\n---";
/** Far more than any header needs, and too little to keep a parser busy. */
const MAX_BYTES = 16 * 1024;
/** Enough for honest anchors, too few for a file that unfolds into gigabytes. */
const MAX_ALIASES = 100;

class YamlError extends Error {}

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
  try {
    const { data, content } = matter(text, options);
    return { ok: true, data: data["header"], body: content };
  } catch (error) {
    if (error instanceof YamlError) return failed(error.message);
    throw error;
  }
}

/** The header is wrapped: gray-matter itself acts on some keys that it finds at the top. */
function parseYaml(yaml: string): { header: object } {
  const lines = new LineCounter();
  const document = parseDocument(yaml.replace(/\r$/, ""), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  const [error] = document.errors;
  if (error !== undefined) {
    // The text starts behind the fence, on the file's first line: its lines are the file's.
    const { line, col } = lines.linePos(error.pos[0]);
    throw new YamlError(`line ${line}, column ${col}: ${error.message}`);
  }
  const data: unknown = toPlain(document);
  if (data === null) return { header: {} };
  if (typeof data !== "object" || Array.isArray(data))
    throw new YamlError("line 2: the frontmatter is not a list of keys");
  return { header: data };
}

function toPlain(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new YamlError(`the frontmatter cannot be unfolded: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

function refuse(): never {
  throw new YamlError("line 1: only YAML frontmatter is read");
}

function failed(reason: string): Frontmatter {
  return { ok: false, reason };
}
