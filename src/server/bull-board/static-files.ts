import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import type { Context } from "hono";

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};
/** A name that changes with the content. */
const HASHED = /\.[\da-f]{10}\.(?:js|css)$/;
const KEEP = "private, max-age=31536000, immutable";

const require = createRequire(import.meta.url);
let files: { readonly dir: string; readonly names: ReadonlySet<string> } | null = null;

/** One of the files that Bull Board's page loads; only those that are there are ever looked for. */
export async function staticFile(context: Context, path: string): Promise<Response> {
  files ??= listFiles();
  const type = TYPES[extname(path)];
  if (!files.names.has(path) || type === undefined) return await context.notFound();
  const caching = HASHED.test(path) ? { "cache-control": KEEP } : {};
  return context.body(await readFile(join(files.dir, path)), 200, { "content-type": type, ...caching });
}

function listFiles() {
  const api = createRequire(require.resolve("@bull-board/api"));
  const dir = join(dirname(api.resolve("@bull-board/ui/package.json")), "dist", "static");
  return { dir, names: new Set(readdirSync(dir, { recursive: true, encoding: "utf8" })) };
}
