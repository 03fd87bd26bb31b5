import { Failure, orExit } from "./failure.js";
import { run } from "./run.js";
import { setUp } from "./setup.js";
import { runTests } from "./vitest.js";

await setUp();
await orExit(async () => {
  await needEngine();
  await runTests(["docker"], process.argv.slice(2));
});

/** These tests are about containers: without an engine and Compose there is nothing to test. */
async function needEngine() {
  const [engine, plugin, program] = await Promise.allSettled([
    run("docker", "info"),
    run("docker", "compose", "version"),
    run("docker-compose", "version"),
  ]);
  if (engine.status === "rejected") throw new Failure("ccl-queue: no Docker engine answers; `docker info` says more");
  if (plugin.status === "rejected" && program.status === "rejected")
    throw new Failure("ccl-queue: neither `docker compose` nor docker-compose is installed");
}
