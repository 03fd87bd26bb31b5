import { Failure } from "./failure.js";
import { manifest, packagedProgram } from "./project.js";
import { run } from "./run.js";

/** What `npm run check` checks, side by side; every complaint is shown. */
export async function check() {
  console.error("ccl-queue: checking (npm run check)");
  const runs = commands().map(([name = "", ...args]) => run(packagedProgram(name), ...args));
  const results = await Promise.allSettled(runs);
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  for (const failure of failures) {
    if (!(failure instanceof Failure)) throw failure;
    console.error(failure.message);
  }
  return failures.length;
}

const commands = () => (manifest.scripts["check"] ?? "").split(" && ").map((command) => command.split(" "));
