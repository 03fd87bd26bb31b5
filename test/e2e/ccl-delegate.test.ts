import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StandIn, startSecutools } from "../../demo/secutools/server.js";
import { EXIT } from "../../src/cli/delegate/exit.ts";
import { createDelegateProgram } from "../../src/cli/delegate/program.ts";
import { startHostilePlatform } from "../helpers/hostile-platform.ts";
import { until } from "../helpers/until.ts";

const MAIN = fileURLToPath(new URL("../../dist/ccl-delegate.js", import.meta.url));
const KEY = "e2e-secret-key";

let dir: string;
let platform: StandIn;
/** How far the platform's clock is ahead. */
let aheadMs: number;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-delegate-"));
  await mkdir(join(dir, "home"));
  aheadMs = 0;
  platform = await startSecutools({ key: KEY, delayMs: 50, now: () => Date.now() + aheadMs });
});

afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await platform.close();
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

interface Surroundings {
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs `ccl-delegate` in the test's directory until it has ended by itself. */
async function run(args: readonly string[], { stdin = "", environment = {} }: Surroundings = {}): Promise<Ended> {
  const env = {
    ...process.env,
    HOME: join(dir, "home"),
    CCL_QUEUE_CONFIG: "",
    SECUTOOLS_URL: platform.url,
    SECUTOOLS_API_KEY: KEY,
    ...environment,
  };
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: dir, env, stdio: "pipe" });
  running.add(child);
  const closed = once(child, "close");
  // Whoever does not read its stdin may be gone by now.
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const [stdout, stderr] = await Promise.all([readText(child.stdout), readText(child.stderr), closed]);
  running.delete(child);
  expect(stdout + stderr).not.toContain(KEY);
  return { code: child.exitCode ?? child.signalCode ?? "", stdout, stderr };
}

/** Writes a task file that may be delegated. */
async function task(name: string, prompt: string, header = "allow_delegation: true"): Promise<string> {
  await writeFile(join(dir, name), `---\n${header}\n---\n${prompt}\n`);
  return name;
}

async function submitted(prompt: string): Promise<string> {
  const { stdout } = await run(["submit", await task("task.md", prompt)]);
  return stdout.trim();
}

const NOT_CONFIGURED = { SECUTOOLS_URL: "", SECUTOOLS_API_KEY: "" };

describe("submit", () => {
  test("hands in the task as the queue would, and prints the job's id alone", async () => {
    const inbox = join("shop", ".agent-queue", "inbox");
    await mkdir(join(dir, inbox), { recursive: true });
    const header = "allow_delegation: true\ntitle: Sum it up\npriority: high\ntags: [a, b]\ncomplexity_hint: low";
    const file = await task(join(inbox, "sum.md"), "Sum it up.", header);
    const { code, stdout, stderr } = await run(["submit", file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(platform.jobs()).toMatchObject([
      {
        id: stdout.trim(),
        submission: {
          provider: "gpu",
          priority: "high",
          title: "Sum it up",
          prompt: "Sum it up.\n",
          tags: ["a", "b"],
          metadata: { project: "shop", task: "sum.md" },
        },
      },
    ]);
    expect(readFileSync(join(dir, file), "utf8")).toContain("Sum it up.");
  });

  test("makes one job of the same file, and another of another content, path or key", async () => {
    const file = await task("a.md", "Do it.");
    const ids: string[] = [];
    for (const args of [[file], [join(dir, file)], [file, "--key", "mine"]]) {
      ids.push((await run(["submit", ...args])).stdout);
    }
    await task("a.md", "Do something else.");
    ids.push((await run(["submit", file])).stdout);
    ids.push((await run(["submit", await task("b.md", "Do it.")])).stdout);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(4);
    expect(platform.jobs()).toHaveLength(4);
  });

  test("keeps to the options over the file", async () => {
    const file = await task("a.md", "Do it.", "needs_claude_code: true\npriority: low");
    const args = ["submit", file, "--provider", "claude-api", "--priority", "critical", "--key", "k-1", "--json"];
    const { code, stdout } = await run(args);
    const [job] = platform.jobs();
    expect(code).toBe(0);
    expect(job).toMatchObject({ key: "k-1", submission: { provider: "claude-api", priority: "critical" } });
    expect(JSON.parse(stdout)).toEqual({
      route: "delegated",
      provider: "claude-api",
      reason: "--provider is claude-api",
      id: job?.id,
      status: "queued",
      key: "k-1",
    });
  });

  test("reads stdin", async () => {
    const { stdout } = await run(["submit", "-"], { stdin: "---\nallow_delegation: true\n---\nFrom a pipe.\n" });
    expect(platform.jobs()).toMatchObject([
      { id: stdout.trim(), submission: { prompt: "From a pipe.\n", title: "stdin", metadata: { task: "stdin" } } },
    ]);
  });

  test("does not hand in what is not for delegation", async () => {
    const file = await task("a.md", "Do it.", "title: Mine");
    const said = await run(["submit", file]);
    expect(said).toMatchObject({ code: 3, stdout: "" });
    expect(said.stderr).toBe("ccl-delegate: a.md is not for delegation: allow_delegation is not true\n");
    const { code, stdout } = await run(["submit", file, "--json"], { environment: NOT_CONFIGURED });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toEqual({
      route: "local",
      provider: null,
      reason: "allow_delegation is not true",
      id: null,
      status: null,
      key: null,
    });
    expect(platform.requests()).toEqual([]);
  });

  test.each<[string, string | null, string]>([
    ["not there", null, "ENOENT"],
    ["empty", "", "nothing to do"],
    ["too large", "x".repeat(2 * 1024 * 1024), "larger than 1 MiB"],
    ["broken", "---\na: [\n---\nx", "frontmatter"],
  ])("refuses a file that is %s", async (_what, content, message) => {
    if (content !== null) await writeFile(join(dir, "a.md"), content);
    const fromFile = await run(["submit", "a.md"]);
    expect(fromFile).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining(message) });
    expect(fromFile.stderr).toMatch(/^ccl-delegate: a\.md.*\[TASK_INVALID\]$/m);
    if (content !== null) expect((await run(["submit", "-"], { stdin: content })).stderr).toContain(message);
    expect(platform.requests()).toEqual([]);
  });

  test("reads no more of an endless file than it takes to refuse it", async () => {
    const { code, stderr } = await run(["submit", "/dev/zero"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("larger than 1 MiB") });
  });

  test("warns of a key that it does not know", async () => {
    const file = await task("a.md", "Do it.", "allow_delegation: true\nprioritty: high");
    const { code, stderr } = await run(["submit", file]);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: "ccl-delegate: warning: a.md: prioritty: not a key that ccl-queue knows\n",
    });
  });

  test("tells what the platform refuses", async () => {
    const { code, stdout, stderr } = await run(["submit", await task("a.md", "secutools: refuse 422")]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^ccl-delegate: .*422.*\[SECUTOOLS_REFUSED\]\n$/);
  });
});

describe("get", () => {
  test("says how a job stands, in words and as JSON", async () => {
    const id = await submitted("secutools: fail too_hard So hard.\nsecutools: delay 0");
    const { code, stdout } = await run(["get", id]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^id {8}${id}\nstatus {4}failed\nprovider {2}gemini\nmodel {5}gemini-2.5-pro\n`));
    expect(stdout).toMatch(/^error {5}too_hard: So hard\.$/m);
    expect(JSON.parse((await run(["get", id, "--json"])).stdout)).toEqual({
      id,
      status: "failed",
      provider: "gemini",
      model: "gemini-2.5-pro",
      result: null,
      error: { code: "too_hard", message: "So hard." },
      cost_usd: expect.any(Number),
      usage: { input_tokens: expect.any(Number), output_tokens: 0 },
      created_at: expect.stringMatching(/Z$/),
      finished_at: expect.stringMatching(/Z$/),
    });
  });

  test("ends with 4 for a job that the platform does not know", async () => {
    const plain = await run(["get", "j1"]);
    expect(plain).toEqual({ code: 4, stdout: "", stderr: "ccl-delegate: secutools does not know the job j1\n" });
    const { code, stdout } = await run(["get", "j1", "--json"]);
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({ id: "j1", status: "lost", result: null, finished_at: null });
  });

  test("ends with 1 when the platform is down", async () => {
    platform.pause();
    const { code, stderr } = await run(["get", "j1"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/\[SECUTOOLS_UNREACHABLE\]$/m);
  });

  test("cannot be led astray on the terminal", async () => {
    const id = await submitted("secutools: fail x \u001b[31mred\nsecutools: delay 0");
    expect((await run(["get", id])).stdout).not.toContain("\u001b");
    expect((await run(["result", id])).stderr).not.toContain("\u001b");
  });
});

describe("result", () => {
  test("prints the text alone, as a line", async () => {
    const id = await submitted("secutools: result # Done\nsecutools: delay 0");
    expect(await run(["result", id])).toEqual({ code: 0, stdout: "# Done\n", stderr: "" });
  });

  test("prints a large one whole", async () => {
    const id = await submitted("secutools: huge 8\nsecutools: delay 0");
    const { code, stdout } = await run(["result", id]);
    expect(code).toBe(0);
    expect(stdout.length).toBe(8 * 1024 * 1024 + 1);
  });

  test("waits for it with --wait", async () => {
    await writeFile(
      join(dir, "q.yaml"),
      "pool: { dedicated: [{ project: . }] }\nsecutools: { poll_interval: 100ms }\n",
    );
    const id = await submitted("secutools: result there\nsecutools: delay 600000");
    expect((await run(["result", id])).code).toBe(5);
    const before = platform.requests().length;
    const waited = run(["result", id, "--wait", "-c", "q.yaml"]);
    await until("it asks again", () => platform.requests().length > before + 1);
    aheadMs = 600_000;
    expect(await waited).toEqual({ code: 0, stdout: "there\n", stderr: "" });
  });

  test("ends with 1 after --timeout when the platform takes the question and never answers", async () => {
    const silent = await startHostilePlatform(() => {});
    const startedMs = performance.now();
    const { code, stdout, stderr } = await run(["result", "j1", "--timeout", "1500ms"], {
      environment: { SECUTOOLS_URL: silent.url },
    });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await silent.close();
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/no answer within 1\d{3} ms \[SECUTOOLS_UNREACHABLE\]\n$/);
  });

  test("ends with 5 for a job that is not finished, at once or after --timeout", async () => {
    const id = await submitted("secutools: delay 600000");
    const now = await run(["result", id]);
    expect(now).toMatchObject({ code: 5, stdout: "", stderr: expect.stringContaining("is not finished") });
    const before = platform.requests().length;
    expect(await run(["result", id, "--timeout", "300ms"])).toMatchObject({ code: 5, stdout: "" });
    expect(platform.requests().length - before).toBeGreaterThan(1);
    const { code, stdout } = await run(["result", id, "--json"]);
    expect(code).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({ id, result: null, finished_at: null });
  });

  test.each([
    ["fail too_hard So hard.", "has failed: too_hard: So hard."],
    ["cancelled", "was cancelled"],
    ["lose", "secutools does not know the job"],
  ])("ends with 4 for a job that is told to %s", async (line, message) => {
    const id = await submitted(`secutools: ${line}\nsecutools: delay 0`);
    const plain = await run(["result", id, "--wait"]);
    expect(plain).toMatchObject({ code: 4, stdout: "", stderr: expect.stringContaining(message) });
    expect(await run(["result", id, "--json"])).toMatchObject({ code: 4, stderr: "" });
  });
});

test("cancel takes a job back", async () => {
  const id = await submitted("secutools: delay 600000");
  expect(await run(["cancel", id])).toEqual({ code: 0, stdout: `cancelled ${id}\n`, stderr: "" });
  expect(platform.jobs()).toMatchObject([{ id, status: "cancelled" }]);
  expect((await run(["result", id])).code).toBe(4);
  expect(JSON.parse((await run(["cancel", id, "--json"])).stdout)).toEqual({ id, cancelled: true });
  const { code, stdout } = await run(["cancel", "j1", "--json"]);
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toEqual({ id: "j1", cancelled: false });
});

describe("decide", () => {
  test("needs no platform", async () => {
    const file = await task("a.md", "Do it.", "allow_delegation: true\ncomplexity_hint: high");
    expect(await run(["decide", file], { environment: NOT_CONFIGURED })).toEqual({
      code: 0,
      stdout: "route     delegated\nprovider  claude-api\nreason    complexity_hint is high\n",
      stderr: "",
    });
    expect(platform.requests()).toEqual([]);
  });

  test("goes by the configuration's table", async () => {
    const yaml = "pool: { dedicated: [{ project: . }] }\nsecutools: { auto: { none: claude-api } }\n";
    await writeFile(join(dir, "ccl-queue.yaml"), yaml);
    const { stdout } = await run(["decide", await task("a.md", "Do it."), "--json"]);
    expect(JSON.parse(stdout)).toEqual({ route: "delegated", provider: "claude-api", reason: "no complexity_hint" });
  });

  test("ends well for a local task too", async () => {
    const { code, stdout } = await run(["decide", await task("a.md", "Do it.", "needs_claude_code: true"), "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ route: "local", provider: null, reason: "needs_claude_code is true" });
  });
});

describe("the configuration", () => {
  test.each(["SECUTOOLS_URL", "SECUTOOLS_API_KEY"])("needs %s", async (name) => {
    const { code, stderr } = await run(["get", "j1"], { environment: { [name]: "" } });
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`\\[SECUTOOLS_NOT_CONFIGURED\\]\n {2}set ${name}`));
  });

  test("may hold the address", async () => {
    const yaml = `pool: { dedicated: [{ project: . }] }\nsecutools: { url: "${platform.url}" }\n`;
    await writeFile(join(dir, "q.yaml"), yaml);
    expect((await run(["get", "j1", "--config", "q.yaml"], { environment: { SECUTOOLS_URL: "" } })).code).toBe(4);
  });

  test("must be there when it is named", async () => {
    const { code, stderr } = await run(["get", "j1", "--config", "q.yaml"]);
    expect(code).toBe(1);
    expect(stderr).toContain("[CONFIG_NOT_FOUND]");
  });
});

describe("a command line that makes no sense", () => {
  test.each([
    [[]],
    [["resubmit"]],
    [["submit"]],
    [["submit", "a.md", "b.md"]],
    [["submit", "a.md", "--provider", "openai"]],
    [["submit", "a.md", "--priority", "urgent"]],
    [["submit", "a.md", "--key", "two words"]],
    [["submit", "a.md", "--wait"]],
    [["get", "../x"]],
    [["get", ""]],
    [["result", "j1", "--timeout", "soon"]],
    [["result", "j1", "--timeout", "0s"]],
  ])("ends with 2: %j", async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(args.length === 0 ? /^Usage: ccl-delegate / : /^ccl-delegate: /);
    expect(platform.requests()).toEqual([]);
  });

  test("is not one that asks for help", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const verb of ["submit", "get", "result", "cancel", "decide"]) expect(stdout).toContain(`  ${verb} `);
    expect(await run(["result", "--help"])).toMatchObject({ code: 0, stdout: expect.stringContaining("--timeout") });
  });
});

test("a reader that goes away is no error", async () => {
  const id = await submitted("secutools: huge 8\nsecutools: delay 0");
  const env = { ...process.env, HOME: join(dir, "home"), SECUTOOLS_URL: platform.url, SECUTOOLS_API_KEY: KEY };
  const child = spawn(process.execPath, [MAIN, "result", id], { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const closed = once(child, "close");
  child.stdout.once("data", () => child.stdout.destroy());
  const stderr = await readText(child.stderr);
  await closed;
  running.delete(child);
  expect({ code: child.exitCode, stderr }).toEqual({ code: 0, stderr: "" });
});

test("a client that is closed lets its process end, whatever it was waiting for", async () => {
  const module = join(dir, "client.js");
  const input = fileURLToPath(new URL("../../src/workers/secutools/client.ts", import.meta.url));
  await build({ input, platform: "node", output: { file: module } });
  const patient = await startSecutools({ key: KEY, delayMs: 600_000, faults: { retryAfterS: 300 } });
  const submission = { provider: "gpu", priority: "low", title: "", tags: [], metadata: { project: "", task: "" } };
  const program = `
    import { Secutools } from ${JSON.stringify(module)};
    const client = new Secutools({ url: ${JSON.stringify(patient.url)}, apiKey: "${KEY}", concurrency: 2 });
    const task = ${JSON.stringify(submission)};
    const { id } = await client.submitJob({ ...task, prompt: "Do it." }, "k1");
    const ends = Promise.allSettled([
      client.waitForResult(id, { pollMs: 600_000, timeoutMs: 600_000 }),
      client.submitJob({ ...task, prompt: "secutools: limited 9" }, "k2"),
    ]);
    setTimeout(async () => {
      await client.close();
      for (const { reason } of await ends) console.log(reason.name);
    }, 500);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  try {
    const output = readText(child.stdout);
    await until("the process has ended", () => child.exitCode !== null);
    expect({ code: child.exitCode, output: await output }).toEqual({ code: 0, output: "AbortError\nAbortError\n" });
  } finally {
    child.kill("SIGKILL");
    await patient.close();
  }
});

describe("docs/ccl-delegate.md", () => {
  const page = readFileSync(new URL("../../docs/ccl-delegate.md", import.meta.url), "utf8");
  const { commands } = createDelegateProgram(() => {});

  /** The cells of each row of the table with this header. */
  function rows(header: string): string[][] {
    const [, table = ""] = page.split(`\n| ${header} |`);
    const lines =
      table
        .split(/\n(?!\|)/)[0]
        ?.split("\n")
        .slice(2) ?? [];
    return lines.map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  }

  const unquoted = (cell: string | undefined) => (cell ?? "").replaceAll("`", "");

  test("has every verb with its argument, and no other", () => {
    const verbs = commands.map((verb) => `${verb.name()} ${verb.registeredArguments[0]?.name().toUpperCase()}`);
    expect(rows("verb | what it does | prints").map(([verb]) => unquoted(verb))).toEqual(verbs);
  });

  test("has every option of each verb, and no other", () => {
    const documented = rows("verb | option | what it does").flatMap(([verb = "", option]) => {
      const names = verb === "every verb" ? commands.map((command) => command.name()) : [unquoted(verb)];
      return names.map((name) => `${name} ${unquoted(option)}`);
    });
    const known = commands.flatMap((verb) => verb.options.map(({ flags }) => `${verb.name()} ${flags}`));
    expect(documented.sort()).toEqual(known.sort());
  });

  test("has every exit code, and no other", () => {
    const codes = rows("code | meaning").map(([code]) => Number(unquoted(code)));
    expect(codes).toEqual(Object.values(EXIT));
  });
});
