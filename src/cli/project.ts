import { realpath } from "node:fs/promises";
import { join, relative, resolve, sep } from "node:path";
import type { Config } from "../config/config.ts";

/** A project as the daemon knows it: a path is taken from where we stand, a name is left as it is. */
export function projectNamed(text: string | undefined): string | undefined {
  return text !== undefined && /^[./]/.test(text) ? resolve(text) : text;
}

/** The watched project that a directory lies in, the innermost of several, or null. */
export async function projectAround(
  directory: string,
  { projectsDir, dedicated }: Pick<Config, "projectsDir" | "dedicated">,
): Promise<string | null> {
  const here = await real(directory);
  const own = await Promise.all(
    dedicated.map(async ({ project }) => (isWithin(here, await real(project)) ? [project] : [])),
  );
  const inFolder = projectsDir === null ? [] : projectIn(projectsDir, relative(await real(projectsDir), here));
  return [...own.flat(), ...inFolder].toSorted((a, b) => b.length - a.length)[0] ?? null;
}

/** The directory in a folder of projects that a path from there leads through. Hidden ones are no projects. */
function projectIn(folder: string, path: string): string[] {
  const [name = ""] = path.split(sep);
  return name === "" || name.startsWith(".") ? [] : [join(folder, name)];
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}

async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}
