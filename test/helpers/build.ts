/** What is started as a program runs what `src/` says now. */
export { build as setup } from "../../scripts/setup/build.js";
