import { pathToFileURL } from "node:url";
import { inProject } from "./project.js";
import { setUp } from "./setup.js";

const main = inProject("dist", "main.js");

await setUp();
// In this very process, so that signals and the exit code are the daemon's own.
process.argv = [process.execPath, main, "start", "--or-demo", ...process.argv.slice(2)];
await import(pathToFileURL(main).href);
