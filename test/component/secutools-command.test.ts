import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSecutools } from "../../demo/secutools/server.js";
import { bodyOf, JOBS } from "../helpers/secutools-calls.ts";
import { until } from "../helpers/until.ts";

const COMMAND = fileURLToPath(new URL("../../demo/secutools.js", import.meta.url));

let children: ChildProcess[];

beforeEach(() => {
  children = [];
});

afterEach(async () => {
  for (const child of children.filter((each) => each.exitCode === null && each.signalCode === null)) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

function run(...args: string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output.stderr += chunk;
  });
  const url = () => until("it says its URL", () => /http:[\d./:]+\d/.exec(output.stdout)?.[0]);
  return { child, output, url, ended: once(child, "close").then(([code, signal]) => code ?? signal) };
}

test.each(["SIGINT", "SIGTERM"] as const)("it says how it is used, and ends on %s", async (signal) => {
  const args = ["--key", "k2", "--delay", "0-1", "--limits", "1", "--retry-after", "9"];
  const { child, output, url, ended } = run("--port", "0", ...args);
  const address = await url();
  expect(output.stdout).toContain(`SECUTOOLS_URL=${address} SECUTOOLS_API_KEY=k2`);
  const answer = await fetch(`${address}${JOBS}/x`, { headers: { authorization: "Bearer k2" } });
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "9"]);
  child.kill(signal);
  expect(await ended).toBe(0);
  expect(output.stderr).toBe("");
});

test("it does not wait for answers that take their time", async () => {
  const { child, output, url, ended } = run("--port", "0", "--delay", "0");
  const jobs = `${await url()}${JOBS}`;
  const headers = { authorization: "Bearer demo-key", "idempotency-key": "job-1" };
  const body = bodyOf("secutools: slow 1000000\nsecutools: id job-1");
  await fetch(jobs, { method: "POST", headers, body });
  const cut = expect((await fetch(`${jobs}/job-1`, { headers })).text()).rejects.toThrow("terminated");
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
  await cut;
  expect(output.stdout).toContain("Jobs accepted: 1; submitted again: 0; done twice: 0.");
});

test.each([
  [["--bogus"], "--bogus"],
  [["--port", "x"], "port"],
  [["--delay", "soon"], "delay"],
  [["--latency", "-1"], "latency"],
  [["--errors", "0.9", "--drops", "0.2"], "probabilities"],
])("it refuses %j", async (args, message) => {
  const { output, ended } = run(...args);
  expect(await ended).toBe(2);
  expect(output.stderr).toContain(message);
  expect(output.stdout).toBe("");
});

test("it says when its port is taken", async () => {
  const other = await startSecutools();
  try {
    const { output, ended } = run("--port", String(other.port));
    expect(await ended).toBe(1);
    expect(output.stderr).toContain("EADDRINUSE");
  } finally {
    await other.close();
  }
});
