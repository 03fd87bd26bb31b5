import { chmodSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inProject, packagedProgram, ROOT } from "../project.js";
import { run } from "../run.js";
import { onceFor } from "../stamp.js";

const DIST = inProject("dist");

export const build = () =>
  onceFor(join(DIST, ".stamp"), sources(), async () => {
    console.error("ccl-queue: building (tsc)");
    clean();
    await run(packagedProgram("tsc"), "-p", "tsconfig.build.json");
    for (const program of ["main.js", "ccl-delegate.js"]) chmodSync(join(DIST, program), 0o755);
  });

export const rebuild = () => {
  clean();
  return build();
};

const clean = () => rmSync(DIST, { recursive: true, force: true });

/** What dist/ is made from. */
function sources() {
  const configs = readdirSync(ROOT).filter((name) => /^tsconfig.*\.json$/.test(name));
  const paths = readdirSync(inProject("src"), { recursive: true, encoding: "utf8" });
  const modules = paths.filter((path) => path.endsWith(".ts")).map((path) => join("src", path));
  return [...configs, ...modules].sort();
}
