import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { inProject } from "./project.js";
import { setUp } from "./setup.js";

const main = inProject("dist", "main.js");
const args = process.argv.slice(2);
const isConfigured =
  existsSync("ccl-queue.yaml") ||
  Boolean(process.env["CCL_QUEUE_CONFIG"]) ||
  args.some((arg) => arg === "--config" || arg.startsWith("--config="));

await setUp();
// In this very process, so that signals and the exit code are the daemon's own.
process.argv = [process.execPath, main, isConfigured ? "start" : "demo", ...args];
await import(pathToFileURL(main).href);
