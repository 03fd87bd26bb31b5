import { lstatSync } from "node:fs";
import { Failure } from "../failure.js";
import { inProject } from "../project.js";
import { run } from "../run.js";
import { onceFor } from "../stamp.js";

const PACKAGES = inProject("node_modules");
const STAMP = inProject("node_modules", ".ccl-queue-stamp");

export const installPackages = () =>
  onceFor(STAMP, ["package.json", "package-lock.json"], async () => {
    refuseLink();
    console.error("ccl-queue: installing packages (npm ci)");
    await run("npm", "ci", "--include=dev");
  });

/** npm ci begins by emptying the folder: through a link, that is the folder of another checkout. */
function refuseLink() {
  if (!lstatSync(PACKAGES, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  throw new Failure(
    `ccl-queue: ${PACKAGES} is a link, and its packages are not those of this checkout; remove the link, then try again`,
  );
}
