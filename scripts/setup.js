import { orExit } from "./failure.js";
import { build } from "./setup/build.js";
import { checkNodeVersion } from "./setup/node-version.js";
import { installPackages } from "./setup/packages.js";
import { installPrograms } from "./setup/programs.js";

/**
 * Everything between a fresh clone and a program that runs; each step is skipped when it is done already.
 * @param {{ browser?: boolean }} [options] `browser` = what the tests of the pages need, too
 */
export const setUp = ({ browser = false } = {}) =>
  orExit(async () => {
    checkNodeVersion();
    await installPackages();
    await installPrograms({ browser });
    await build();
  });
