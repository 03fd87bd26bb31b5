import { orExit } from "./failure.js";
import { build } from "./setup/build.js";
import { checkNodeVersion } from "./setup/node-version.js";
import { installPackages } from "./setup/packages.js";
import { installPrograms } from "./setup/programs.js";

/** Everything between a fresh clone and a program that runs; each step is skipped when it is done already. */
export const setUp = () =>
  orExit(async () => {
    checkNodeVersion();
    await installPackages();
    await installPrograms();
    await build();
  });
