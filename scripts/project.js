import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's own directory, wherever it is called from. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** @param {string[]} parts */
export const inProject = (...parts) => join(ROOT, ...parts);

/** @type {{ engines: { node: string }, scripts: Record<string, string> }} */
export const manifest = JSON.parse(readFileSync(inProject("package.json"), "utf8"));

/** A program that one of our packages brings. @param {string} name */
export const packagedProgram = (name) => inProject("node_modules", ".bin", name);
