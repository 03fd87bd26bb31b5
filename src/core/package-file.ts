import { existsSync } from "node:fs";

/** A file or folder of this package by its path in it, for the source and the build alike. */
export const packageFile = (path: string): URL => new URL(path, root());

function root(): URL {
  let folder = new URL("./", import.meta.url);
  while (!existsSync(new URL("package.json", folder)) && folder.pathname !== "/") folder = new URL("../", folder);
  return folder;
}
