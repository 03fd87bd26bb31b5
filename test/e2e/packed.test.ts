import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What a clone does not have. */
const MADE = new Set(["node_modules", "dist", ".git", "coverage"]);
const MAX_PACKED_BYTES = 1_000_000;
const INSTALL_MS = 180_000;
const TSC = join(ROOT, "node_modules", ".bin", "tsc");
const packed = z.tuple([
  z.object({ filename: z.string(), size: z.number(), files: z.array(z.object({ path: z.string() })) }),
]);

let dir: string;
let pack: z.infer<typeof packed>[0];
let queue: QueueFixture;

/** A directory that has nothing but the package, as `npm install ccl-queue` leaves it. */
const home = () => join(dir, "home");
const bin = (name: string) => join(home(), "node_modules", ".bin", name);

async function run(program: string, ...args: string[]): Promise<string> {
  const env = { REDIS_URL: "", CCL_QUEUE_CONFIG: "", NO_COLOR: "1" };
  return (await execa(program, args, { cwd: home(), env, all: true })).all;
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-packed-"));
  const clone = join(dir, "clone");
  await cp(ROOT, clone, { recursive: true, filter: (path) => !MADE.has(basename(path)) });
  await symlink(join(ROOT, "node_modules"), join(clone, "node_modules"));
  const options = ["--json", "--pack-destination", dir];
  const { stdout } = await execa("npm", ["run", "--silent", "package", "--", ...options], { cwd: clone });
  [pack] = packed.parse(JSON.parse(stdout));
  await mkdir(home());
  await writeFile(join(home(), "package.json"), JSON.stringify({ private: true, type: "module" }));
  const quiet = ["--silent", "--no-audit", "--no-fund"];
  await execa("npm", ["install", ...quiet, join(dir, pack.filename)], { cwd: home() });
  for (const example of await readdir(join(ROOT, "examples")))
    await cp(join(ROOT, "examples", example), join(home(), example), { recursive: true });
}, INSTALL_MS);
afterAll(async () => await rm(dir, { recursive: true, force: true }));

beforeEach(async () => {
  queue = await prepareQueue();
});
afterEach(async () => await queue.stop());

test("the package is small, and holds no sources, no tests and no maps", async () => {
  expect(pack.size).toBeLessThan(MAX_PACKED_BYTES);
  const paths = pack.files.map(({ path }) => path);
  expect(
    paths.filter((path) => /^(src|test|bench|chaos|scripts)\/|\.map$|\.tsx?$/.test(path) && !/\.d\.ts$/.test(path)),
  ).toEqual([]);
  expect(paths).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/main.js", "libexec/launch.sh"]));
});

test("its commands run a task from its file to its result", async () => {
  const version = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")));
  expect(await run(bin("ccl-queue"), "--version")).toBe(version.version);
  expect(await run(bin("ccl-delegate"), "--help")).toContain("Usage: ccl-delegate");
  const daemon = execa(bin("ccl-queue"), ["start", "--config", queue.configFile], {
    cwd: home(),
    all: true,
    buffer: true,
  });
  try {
    const isUp = async () =>
      (await run(bin("ccl-queue"), "status", "--config", queue.configFile).catch(() => "")) !== "";
    await until("the daemon answers", isUp, 30_000);
    const added = await run(bin("ccl-queue"), "add", "--wait", "--config", queue.configFile, "Say hello.");
    expect(added).toContain("added alpha/say-hello.md");
    expect(added).toContain("Done, as far as a demo agent can");
  } finally {
    daemon.kill("SIGTERM");
    await daemon;
  }
  expect(await queue.names("done")).toEqual(["say-hello.md"]);
});

test("its library has types", async () => {
  await writeFile(
    join(home(), "use.ts"),
    `import { createApp, type QueueApp, QueueError, submit, type TaskEvent } from "ccl-queue";
     const { name, path }: { name: string; path: string } = await submit({ project: "p", text: "x", priority: "high" });
     const seen: TaskEvent[] = [];
     const app: QueueApp = await createApp({ config: "c.yaml", onEvent: (event) => void seen.push(event) });
     const url: string | null = app.url;
     const isOurs = (error: unknown) => error instanceof QueueError && error.code === "REDIS_MISSING";
     // @ts-expect-error there is no such priority
     await submit({ project: "p", text: "x", priority: "urgent" });
     export { isOurs, name, path, url };`,
  );
  const types = ["--types", "node", "--typeRoots", join(ROOT, "node_modules", "@types")];
  const strict = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023"];
  expect(await run(TSC, "--ignoreConfig", ...strict, ...types, "use.ts")).toBe("");
});

test("the examples run", async () => {
  const project = queue.project;
  const paths = (await run(process.execPath, "hand-in.js", project, "a.js", "b c.js")).split("\n");
  expect(paths.map((path) => basename(path))).toEqual([
    "review-a-js-and-write-what-you-find-into-a-js-review-md.md",
    expect.stringMatching(/^review-b-c-js/),
  ]);
  for (const path of paths) expect(await readFile(path, "utf8")).toMatch(/^priority: low$/m);
  const steps = await run(process.execPath, "embedded.js", queue.configFile, project, "Say hello.");
  expect(steps.split("\n")).toEqual(["seen", "routed", "launched", "submitted", "done"]);
  expect(await queue.names("done")).toContain("say-hello.md");
});
