import { orExit } from "./failure.js";
import { rebuild } from "./setup/build.js";
import { checkNodeVersion } from "./setup/node-version.js";
import { installPackages } from "./setup/packages.js";

await orExit(async () => {
  checkNodeVersion();
  await installPackages();
  await rebuild();
});
