import { readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { mkfifo } from "../helpers/mkfifo.ts";
import { type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

let queue: QueueFixture;
afterEach(async () => await queue.stop());

const inbox = (name: string) => join(queue.project, ".agent-queue", "inbox", name);

test("a finished task's file holds its text and says how it was done", async () => {
  queue = await startQueue();
  const text =
    "---\ntitle: Hello\npriority: critical\n---\r\nSay hello. ❯ `$(x)`\\\n\nagent: say All | done.\\nTwice.\n";
  await queue.drop("hello.md", text);
  await queue.settled("done", 1);
  const written = await queue.read("done", "hello.md");
  expect(written.startsWith(`${text}\n\n<!-- ccl-queue:footer -->\n`)).toBe(true);
  const rows = Object.fromEntries(
    [...written.matchAll(/^\| (.+?) \| (.+) \|$/gm)].map(([, key, value]) => [key, value]),
  );
  expect(rows).toMatchObject({
    "ccl-queue": "done",
    route: "local: allow_delegation is not true",
    model: "opus",
    attempts: "1",
    duration: expect.stringMatching(/^\d+ ms$|^\d+\.\d s$/),
    tokens: expect.stringMatching(/^[\d,]+ in, [\d,]+ out$/),
    cost: expect.stringMatching(/^\$0\.\d{4}$/),
    run: expect.stringMatching(/^[a-z][a-z2-9]{9}-1$/),
    finished: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
  });
  expect(["ccl-auto-11", "ccl-auto-12"]).toContain(rows["session"]);
  expect(written).toContain("\n> All | done.\n> Twice.\n");
});

describe("a run that does not finish ends in failed/ with the reason, and its session takes the next task", () => {
  test.each([
    ["agent: exit 3\n", "RUN_CRASHED: the agent ended with exit code 3 before it was finished"],
    ["agent: die\n", "RUN_CRASHED: the agent ended with exit code 137 before it was finished"],
    ["agent: fail server_error Overloaded\n", "RUN_API_ERROR: server_error: Overloaded"],
    ["agent: fail invalid_request Prompt is too long\n", "RUN_API_ERROR: invalid_request: Prompt is too long"],
  ])("%j", async (prompt, reason) => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("bad.md", prompt);
    await queue.settled("failed", 1);
    expect(await queue.read("failed", "bad.md")).toContain(`| error | ${reason} |`);
    await queue.drop("good.md", "good\n");
    expect(await queue.settled("done", 1)).toEqual(["good.md"]);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  });

  test("a session that is killed in mid-run", async () => {
    queue = await startQueue({ sessions: 1 });
    await queue.drop("killed.md", "agent: work 1m\n");
    await until("it works", async () => (await queue.witness()).some(({ event }) => event === "submit"));
    await queue.tmux("kill-session", "-t", "ccl-auto-11");
    await queue.settled("failed", 1);
    expect(await queue.read("failed", "killed.md")).toContain("| error | RUN_CRASHED:");
    await queue.drop("good.md", "good\n");
    expect(await queue.settled("done", 1)).toEqual(["good.md"]);
  });
});

test("a Stop with background work is not the end", async () => {
  queue = await startQueue();
  await queue.drop("background.md", "agent: background 2s\n");
  await until("the Stop came", async () => (await queue.witness()).some(({ event }) => event === "end"));
  const done = await until("it is done", () => queue.events.find((event) => event.type === "done"));
  expect(done.spent.durationMs).toBeGreaterThan(1_900);
  expect(await queue.names("done")).toEqual(["background.md"]);
});

describe("a file that cannot be run is rejected into failed/ with the reason, and nothing is launched", () => {
  const rejected: [string, string | Buffer, RegExp][] = [
    ["bad yaml", '---\npriority: "high\n---\nbody\n', /the frontmatter cannot be read: line \d+, column \d+:/],
    ["unclosed", "---\npriority: high\nbody\n", /line 1: the frontmatter is opened by --- and never closed/],
    ["javascript", "---js\nrequire('fs').writeFileSync('PWNED','')\n---\nbody\n", /frontmatter in "js" is not read/],
    ["empty", "---\npriority: high\n---\n\n", /there is nothing to do/],
    ["binary", Buffer.from([0x23, 0x00, 0x0a]), /the file is binary/],
    ["latin1", Buffer.from([0x63, 0x61, 0x66, 0xe9, 0x0a]), /the file is not UTF-8/],
    ["large", Buffer.alloc(1024 * 1024 + 1, "x"), /larger than 1 MiB/],
  ];

  test.each(rejected)("%s", async (_what, content, reason) => {
    queue = await startQueue();
    await writeFile(inbox(".draft"), content);
    await rename(inbox(".draft"), inbox("bad.md"));
    await queue.settled("failed", 1);
    await until("the footer is there", async () =>
      (await queue.read("failed", "bad.md")).includes("/ccl-queue:footer"),
    );
    const bytes = await readFile(join(queue.project, ".agent-queue/failed/bad.md"));
    expect(bytes.subarray(0, content.length).equals(Buffer.from(content))).toBe(true);
    expect(bytes.subarray(content.length).toString()).toMatch(reason);
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
    expect(await queue.witness()).toEqual([]);
  });

  test("a link that leaves the project, and a pipe that would never end", async () => {
    queue = await startQueue();
    const secret = join(queue.dir, "secret.md");
    await writeFile(secret, "top secret\n");
    await symlink(secret, inbox("link.md"));
    await mkfifo(inbox("pipe.md"));
    await queue.settled("failed", 2);
    const link = await queue.read("failed", "link.md");
    expect(link).toContain("it is a link that leaves the project");
    expect(link).not.toContain("top secret");
    expect(await queue.read("failed", "pipe.md")).toContain("it is not a regular file");
    await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  });
});
