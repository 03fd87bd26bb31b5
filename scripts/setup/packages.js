import { inProject } from "../project.js";
import { run } from "../run.js";
import { onceFor } from "../stamp.js";

const STAMP = inProject("node_modules", ".ccl-queue-stamp");

export const installPackages = () =>
  onceFor(STAMP, ["package.json", "package-lock.json"], async () => {
    console.error("ccl-queue: installing packages (npm ci)");
    await run("npm", "ci", "--include=dev");
  });
