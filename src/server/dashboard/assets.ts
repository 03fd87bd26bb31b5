import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Hono } from "hono";
import { packageFile } from "../../core/package-file.ts";

const FOLDER = packageFile("assets/");
const SCRIPT = "text/javascript; charset=utf-8";

/** The parts of the style sheet, in the order in which they count. */
const STYLES = ["page", "words", "overview", "screen", "lists", "task", "narrow"] as const;

const read = (name: string) => readFileSync(new URL(name, FOLDER), "utf8");

/** What pages load beside their HTML. */
const FILES = [
  {
    name: "dashboard.css",
    type: "text/css; charset=utf-8",
    text: compact(STYLES.map((part) => read(`styles/${part}.css`))),
  },
  { name: "dashboard.js", type: SCRIPT, text: withoutComments(read("dashboard.js")) },
  { name: "live.js", type: SCRIPT, text: withoutComments(read("live.js")) },
  { name: "icon.svg", type: "image/svg+xml", text: read("icon.svg") },
];

/** One style sheet without comments, indentation and most of its line breaks. */
function compact(styles: readonly string[]): string {
  return styles
    .join("")
    .replaceAll(/\/\*[\s\S]*?\*\//g, "")
    .replaceAll(/\s*\n\s*/g, "\n")
    .replaceAll(/ \{\n/g, "{")
    .replaceAll(/;\n\}\n/g, "}")
    .replaceAll(/([;,])\n/g, "$1");
}

/** A script without indentation, and the comments that stand on a line of their own. */
function withoutComments(script: string): string {
  return script.replaceAll(/^\s*(?:\/\/.*|\/\*\*.*\*\/)?\n/gm, "").replaceAll(/^\s+/gm, "");
}

/** Stands in every address, so that browsers may keep a file for good and still take the next release's. */
const VERSION = createHash("sha256")
  .update(FILES.map(({ text }) => text).join("\0"))
  .digest("hex")
  .slice(0, 12);

const KEEP = "private, max-age=31536000, immutable";

export function assetUrl(name: string): string {
  return `/assets/${name}?v=${VERSION}`;
}

/** The files themselves. */
export function assetRoutes(): Hono {
  const routes = new Hono();
  for (const { name, type, text } of FILES) {
    routes.get(`/assets/${name}`, (context) =>
      context.body(text, 200, { "content-type": type, "cache-control": KEEP }),
    );
  }
  return routes;
}
