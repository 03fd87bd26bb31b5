import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { adopt } from "../../src/cli/adopt.ts";
import { askDaemon, type Question } from "../../src/cli/daemon-client.ts";
import { eachTask } from "../../src/cli/each-task.ts";
import { exitCodeOf, UsageError } from "../../src/cli/exit.ts";
import { repair } from "../../src/cli/repair.ts";
import { retry } from "../../src/cli/retry.ts";
import { taskRoute } from "../../src/cli/task-route.ts";
import { QueueError } from "../../src/core/errors.ts";
import { daemonSocket } from "../../src/host.ts";

let dir: string;
let server: Server | null = null;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-daemon-"));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
  await rm(dir, { recursive: true });
});

/** A daemon that answers like this. */
async function daemon(listener: RequestListener): Promise<void> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(daemonSocket(dir), resolve));
}

const schema = z.object({ a: z.number() });
const ask = async (question?: Question) => await askDaemon(dir, "POST", "/x", schema, question);

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of request) chunks.push(String(chunk));
  return chunks.join("");
}

describe("a question to the daemon", () => {
  test("is sent as JSON, or with nothing", async () => {
    const seen: unknown[] = [];
    await daemon(async (request, response) => {
      seen.push([request.method, request.url, request.headers["content-type"], await textOf(request)]);
      response.end('{"a":1,"b":2}');
    });
    expect(await ask({ body: { text: "ü" } })).toEqual({ a: 1 });
    await ask();
    expect(seen).toEqual([
      ["POST", "/x", "application/json", '{"text":"ü"}'],
      ["POST", "/x", undefined, ""],
    ]);
  });

  test("that is not answered in time says so", async () => {
    await daemon(() => {});
    await expect(ask({ timeoutMs: 50 })).rejects.toMatchObject({
      code: "DAEMON_SILENT",
      message: `the daemon in ${dir} does not answer within 0.05 s`,
    });
  });

  test("that is answered in part and no further says so, too", async () => {
    await daemon((_request, response) => response.write('{"a":'));
    await expect(ask({ timeoutMs: 50 })).rejects.toMatchObject({ code: "DAEMON_SILENT" });
  });

  test("to a daemon that ends in the middle says so", async () => {
    await daemon((request) => request.socket.destroy());
    await expect(ask()).rejects.toMatchObject({ code: "DAEMON_SILENT", message: expect.stringContaining("hung up") });
  });

  test.each([
    ["no JSON", 200, "<h1>", " is not understood"],
    ["another shape", 200, '{"a":"1"}', " is not understood at a"],
    ["a failure of another kind", 502, "Bad gateway", " is not understood"],
  ])("that is answered with %s names it", async (_what, status, body, message) => {
    await daemon((_request, response) => response.writeHead(status).end(body));
    await expect(ask()).rejects.toMatchObject({
      code: "DAEMON_BAD_ANSWER",
      message: expect.stringContaining(`POST /x${message}`),
    });
  });

  test("brings the daemon's own errors, also those of another version", async () => {
    const problem = { detail: "no such task", hint: "look", code: "TASK_UNKNOWN" };
    await daemon((request, response) =>
      response.writeHead(404).end(JSON.stringify(request.url === "/x" ? problem : { ...problem, code: "FROM_2030" })),
    );
    await expect(ask()).rejects.toMatchObject({ code: "TASK_UNKNOWN", message: "no such task", hint: "look" });
    await expect(askDaemon(dir, "GET", "/y", schema)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });
});

test.each([
  ["adopt", '{"tasks":[]}', async (config: string) => await adopt({ config, host: "x" })],
  ["doctor --repair", '{"repairs":[]}', async (config: string) => await repair({ config })],
  ["retry --all-failed", '{"tasks":[]}', async (config: string) => await retry([], { config, allFailed: true })],
])("%s waits for long, as it goes through all tasks", async (_verb, answer, run) => {
  const config = join(dir, "ccl-queue.yaml");
  await writeFile(config, JSON.stringify({ state_dir: dir, dispatcher: { projects_dir: dir } }));
  await daemon((_request, response) => response.end(answer));
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  const timeout = vi.spyOn(AbortSignal, "timeout");
  await run(config);
  expect(timeout.mock.calls).toEqual([[600_000]]);
});

describe("a task's route", () => {
  const here = process.cwd();
  test.each([
    ["fix.md", "fix.md"],
    ["site/fix.md", "site/fix.md"],
    ["kabc", "kabc"],
    ["a b%/ü?.md", "a b%/ü?.md"],
    ["./fix.md", `${here}/fix.md`],
    ["../fix.md", join(here, "../fix.md")],
    ["/p/.agent-queue/failed/fix.md", "/p/.agent-queue/failed/fix.md"],
    [".agent-queue/inbox/fix.md", `${here}/.agent-queue/inbox/fix.md`],
    ["site/.agent-queue/done/fix.md", `${here}/site/.agent-queue/done/fix.md`],
    ["site/.agent-queue/other/fix.md", "site/.agent-queue/other/fix.md"],
    ["", here],
  ])("for %j names %j", (text, name) => {
    expect(taskRoute(text, "/cancel")).toBe(`/api/tasks/${encodeURIComponent(name)}/cancel`);
  });
});

describe("what a command ends with", () => {
  test.each([
    [new UsageError("x"), 2],
    [new QueueError("x", { code: "TASK_UNKNOWN" }), 3],
    [new QueueError("x", { code: "TASK_AMBIGUOUS" }), 3],
    [new QueueError("x", { code: "SESSION_UNKNOWN" }), 3],
    [new QueueError("x", { code: "DAEMON_NOT_RUNNING" }), 4],
    [new QueueError("x", { code: "DAEMON_STARTING" }), 4],
    [new QueueError("x", { code: "DAEMON_SILENT" }), 4],
    [new QueueError("x", { code: "TMUX_FAILED" }), 1],
    [new Error("x"), 1],
    ["x", 1],
  ])("after %s is %i", (error, code) => {
    expect(exitCodeOf(error)).toBe(code);
  });
});

describe("several tasks", () => {
  /** What is written, and the exit code. */
  async function run(tasks: readonly string[], command: (task: string) => Promise<string>) {
    const written: string[] = [];
    for (const stream of [process.stdout, process.stderr])
      vi.spyOn(stream, "write").mockImplementation((text) => written.push(String(text)) > 0);
    return { code: await eachTask(tasks, command), written };
  }

  const command = async (task: string) => {
    if (task === "a") throw new QueueError("no a", { code: "TASK_UNKNOWN", hint: "name \u001B[31m another" });
    if (task === "b") throw new QueueError("b is not over", { code: "TASK_CANCELLED" });
    return `did ${task}`;
  };

  test("are each tried, and the first failure is the exit code", async () => {
    expect(await run(["x", "b", "a", "y"], command)).toEqual({
      code: 1,
      written: [
        "did x\n",
        "ccl-queue: b is not over [TASK_CANCELLED]\n",
        "ccl-queue: no a [TASK_UNKNOWN]\n  name  [31m another\n",
        "did y\n",
      ],
    });
    expect((await run(["a", "b"], command)).code).toBe(3);
    expect((await run(["x"], command)).code).toBe(0);
  });

  test("are not tried without a daemon, nor where something is broken", async () => {
    const tried: string[] = [];
    const gone = async (task: string): Promise<string> => {
      tried.push(task);
      throw new QueueError("gone", { code: "DAEMON_NOT_RUNNING" });
    };
    await expect(run(["x", "y"], gone)).rejects.toThrow("gone");
    expect(tried).toEqual(["x"]);
    await expect(run(["x"], async () => await Promise.reject(new TypeError("broken")))).rejects.toThrow("broken");
  });
});
