import { chmodSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { inProject, packagedProgram } from "../project.js";
import { run } from "../run.js";
import { onceFor } from "../stamp.js";

const DIST = inProject("dist");

export const build = () =>
  onceFor(join(DIST, ".stamp"), sources(), async () => {
    console.error("ccl-queue: building (rolldown)");
    clean();
    await run(packagedProgram("rolldown"), "--config", "--log-level", "warn");
    for (const program of ["main.js", "ccl-delegate.js"]) chmodSync(join(DIST, program), 0o755);
  });

export const rebuild = () => {
  clean();
  return build();
};

const clean = () => rmSync(DIST, { recursive: true, force: true });

/** What dist/ is made from. */
function sources() {
  const paths = readdirSync(inProject("src"), { recursive: true, encoding: "utf8" });
  const modules = paths.filter((path) => /\.tsx?$/.test(path)).map((path) => join("src", path));
  return ["package.json", "rolldown.config.js", "tsconfig.json", ...modules.sort()];
}
