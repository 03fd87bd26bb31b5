import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { type Finding, ok, problem, warning } from "../../src/cli/doctor/check.ts";
import { lookAtClaude } from "../../src/cli/doctor/claude.ts";
import { lookAtDaemon } from "../../src/cli/doctor/daemon.ts";
import { lookAtProjects, lookAtStateDir } from "../../src/cli/doctor/directories.ts";
import { lookAtDisk } from "../../src/cli/doctor/disk.ts";
import { lookAtNode, OLDEST_NODE } from "../../src/cli/doctor/node.ts";
import { lookAtPort } from "../../src/cli/doctor/port.ts";
import { lookAtRedis } from "../../src/cli/doctor/redis.ts";
import { runChecks } from "../../src/cli/doctor/run-checks.ts";
import { lookAtTmux } from "../../src/cli/doctor/tmux.ts";
import { isAtLeast } from "../../src/cli/doctor/versions.ts";
import { describeChecks } from "../../src/cli/doctor.ts";
import { PLAIN } from "../../src/cli/screen.ts";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { starting } from "../../src/host.ts";
import { environmentWith } from "../helpers/environment.ts";
import { serveApi } from "../helpers/served-api.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-doctor-"));
  await mkdir(join(dir, "projects"));
});
afterEach(async () => await rm(dir, { recursive: true }));

/** A configuration whose everything is in the test's own directory. */
async function config(yaml: object = {}, environment = {}): Promise<Config> {
  const file = { state_dir: "state", dispatcher: { projects_dir: "projects" }, server: { port: 0 }, ...yaml };
  await writeFile(join(dir, "c.yaml"), JSON.stringify(file));
  return loadConfig(join(dir, "c.yaml"), environmentWith({ home: dir, ...environment }));
}

/** Programs of these names, which say this; nothing else is installed. */
async function installed(programs: Readonly<Record<string, string>>): Promise<void> {
  const bin = join(dir, "bin");
  await mkdir(bin);
  for (const [name, script] of Object.entries(programs)) await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
  for (const name of Object.keys(programs)) await chmod(join(bin, name), 0o755);
  vi.stubEnv("PATH", bin);
}

const levels = (findings: readonly Finding[]) => findings.map(({ level }) => level);

describe("versions", () => {
  test.each([
    ["tmux 3.3a", [3, 0], true],
    ["tmux 2.9", [3, 0], false],
    ["tmux 3", [3, 0], true],
    ["tmux next-3.5", [3, 0], true],
    ["tmux master", [3, 0], true],
    ["6.2.14", [6, 2], true],
    ["6.0.16", [6, 2], false],
    ["10.0", [6, 2], true],
    ["20.19.0", [20, 19], true],
    ["20.9.0", [20, 19], false],
    ["22.0.0", [20, 19], true],
  ])("%s is at least %j: %s", (text, least, expected) => {
    expect(isAtLeast(text, least)).toBe(expected);
  });
});

test("node is the one that runs us, and the oldest is the package's", async () => {
  expect(await lookAtNode()).toEqual([ok(`Node.js ${process.versions.node}`)]);
  expect(manifest.engines.node).toBe(`>=${OLDEST_NODE.join(".")}`);
});

describe("tmux", () => {
  const answers = (version: string, sessions: string) => ({
    tmux: `case "$1" in -V) echo "${version}";; *) ${sessions};; esac`,
  });

  test.each([
    ["is missing", {}, "problem", "tmux is not installed"],
    ["is too old", answers("tmux 2.6", "exit 1"), "problem", "tmux 2.6"],
    ["has no server", answers("tmux 3.3a", "echo 'no server running on /x' >&2; exit 1"), "ok", "does not run yet"],
    ["refuses", answers("tmux 3.3a", "echo 'access not allowed' >&2; exit 1"), "problem", "access not allowed"],
    ["runs", answers("tmux 3.3a", "echo ccl-auto-11; echo mine; echo ccl-auto-13"), "ok", "2 of 10 sessions"],
  ])("%s", async (_what, programs, level, found) => {
    await installed(programs);
    expect(await lookAtTmux(await config())).toEqual([
      expect.objectContaining({ level, found: expect.stringContaining(found) }),
    ]);
  });
});

describe("claude", () => {
  test.each([
    ["is missing", {}, "problem", "ENOENT"],
    ["cannot start", { claude: "echo broken >&2; exit 3" }, "problem", "exit code 3"],
    ["is too old", { claude: "echo 1.0.3" }, "problem", '"1.0.3"'],
    ["is there", { claude: 'echo "9.9.9 ($*)"' }, "ok", "claude: 9.9.9 (--dangerously-skip-permissions --version)"],
  ])("%s", async (_what, programs, level, found) => {
    await installed(programs);
    expect(await lookAtClaude(await config())).toEqual([
      expect.objectContaining({ level, found: expect.stringContaining(found) }),
    ]);
  });

  test("is asked without the queue's keys", async () => {
    vi.stubEnv("CCL_QUEUE_TOKEN", "s3cret");
    await installed({ claude: 'echo "9.9.9 $CCL_QUEUE_TOKEN|"' });
    expect((await lookAtClaude(await config()))[0]?.found).toBe("claude: 9.9.9 |");
  });
});

describe("redis", () => {
  test.each([
    ["is not installed", {}, "problem", "none of redis-server, valkey-server is installed"],
    ["is too old", { "redis-server": "echo Redis server v=5.0.7 sha=0" }, "problem", "redis-server 5.0.7"],
    [
      "would be started",
      { "redis-server": "echo Redis server v=7.0.15 sha=0" },
      "ok",
      "redis-server 7.0.15: the daemon",
    ],
    ["may be valkey", { "valkey-server": "echo Valkey server v=8.1.0 sha=0" }, "ok", "valkey-server 8.1.0"],
  ])("%s", async (_what, programs, level, found) => {
    await installed(programs);
    expect(await lookAtRedis(await config())).toEqual([
      expect.objectContaining({ level, found: expect.stringContaining(found) }),
    ]);
  });

  test("that does not answer is named without its password", async () => {
    for (const redisUrl of ["redis://me:s3cret@127.0.0.1:1/0", "me:s3cret@nowhere.invalid"]) {
      const findings = await lookAtRedis(await config({}, { redisUrl }));
      expect(levels(findings)).toEqual(["problem"]);
      expect(JSON.stringify(findings)).not.toContain("s3cret");
    }
  });
});

describe("the state directory", () => {
  test("may be missing, private, or open to others", async () => {
    expect(await lookAtStateDir(await config())).toEqual([ok(expect.stringContaining("made at the first start"))]);
    await mkdir(join(dir, "state"), { mode: 0o700 });
    expect(await lookAtStateDir(await config())).toEqual([ok(join(dir, "state"))]);
    await chmod(join(dir, "state"), 0o750);
    expect(await lookAtStateDir(await config())).toEqual([
      warning(expect.stringContaining("open to other users"), `chmod 700 ${join(dir, "state")}`),
    ]);
  });

  test("may not be a file, nor have too long a path", async () => {
    await writeFile(join(dir, "state"), "");
    expect(levels(await lookAtStateDir(await config()))).toEqual(["problem"]);
    const findings = await lookAtStateDir(await config({ state_dir: `/tmp/${"x".repeat(120)}` }));
    expect(findings).toEqual([problem(expect.stringContaining("too long"), expect.any(String))]);
  });
});

describe("the projects", () => {
  const inbox = (project: string) => join(dir, "projects", project, ".agent-queue", "inbox");

  test("have inboxes, or none", async () => {
    await mkdir(join(dir, "projects", "plain"));
    expect(levels(await lookAtProjects(await config()))).toEqual(["warning"]);
    for (const project of ["a", "b"]) await mkdir(inbox(project), { recursive: true });
    expect(await lookAtProjects(await config())).toEqual([ok("2 inboxes")]);
  });

  test("must be there, and their inboxes must be directories", async () => {
    await mkdir(join(dir, "projects", "a", ".agent-queue"), { recursive: true });
    await writeFile(inbox("a"), "");
    expect(await lookAtProjects(await config({ pool: { dedicated: [{ project: "gone" }] } }))).toEqual([
      problem(`${join(dir, "gone")} is no directory`, expect.any(String)),
      problem(`${inbox("a")} is no directory`, expect.any(String)),
    ]);
  });

  test("must have directories, too, where results are put, if there is anything", async () => {
    for (const project of ["a", "b"]) await mkdir(inbox(project), { recursive: true });
    const results = ["done", "failed"].map((shelf) => join(dir, "projects", "a", ".agent-queue", shelf));
    for (const path of results) await writeFile(path, "");
    expect(await lookAtProjects(await config())).toEqual([
      ...results.map((path) => problem(`${path} is no directory`, expect.any(String))),
      ok("1 inbox"),
    ]);
  });
});

test("the disks have room where the queue writes, a line for each of them", async () => {
  const found = async (yaml = {}) => (await lookAtDisk(await config(yaml))).map((finding) => finding.found);
  const own = expect.stringMatching(new RegExp(`^${dir}: \\d+ [GM]iB free$`));
  expect(await found()).toEqual([own]);
  // What is always there, and no disk of ours.
  expect(await found({ pool: { dedicated: [{ project: "/proc" }] } })).toEqual([own, "/proc: 0 MiB free"]);
  const linked = join(dir, "projects", "linked");
  await symlink("/proc", linked);
  expect(await found()).toEqual([own, `${linked}: 0 MiB free`]);
});

describe("the port", () => {
  const servers: { close: () => void }[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const listening = z.object({ port: z.number() });

  async function listen(server: Server): Promise<Config> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address: AddressInfo | string | null = server.address();
    return await config({ server: listening.parse(address) });
  }

  test("is free, or ours", async () => {
    expect(await lookAtPort(await config())).toEqual([ok("127.0.0.1, any port: free")]);
    const { server } = await serveApi();
    const port = Number(new URL(server.url).port);
    const ours = async () => await lookAtPort(await config({ server: { port } }));
    expect(await ours()).toEqual([ok(`127.0.0.1, port ${port}: a ccl-queue answers`)]);
    server.serve(starting);
    expect(await ours()).toEqual([ok(`127.0.0.1, port ${port}: a ccl-queue answers`)]);
  });

  test("is not somebody else's, who may say anything or nothing", async () => {
    for (const text of ["<h1>mine</h1>", '{"status":"ok"}', '{"code":"TEAPOT"}', '{"name":"other"}', ""]) {
      const other = await listen(createServer((_request, response) => response.end(text)));
      expect(levels(await lookAtPort(other)), text).toEqual(["problem"]);
    }
    const other = await listen(createTcpServer((socket) => socket.end("SSH-2.0-x\r\n")));
    expect(levels(await lookAtPort(other))).toEqual(["problem"]);
  });

  test("is not open to others without a token", async () => {
    const open = { server: { host: "0.0.0.0", port: 0 } };
    expect(await lookAtPort(await config(open))).toEqual([
      problem(expect.stringContaining("there is no token"), expect.stringContaining("CCL_QUEUE_TOKEN")),
    ]);
    expect(levels(await lookAtPort(await config(open, { token: "t" })))).toEqual(["ok"]);
  });
});

test("the daemon may not run", async () => {
  expect(await lookAtDaemon(await config())).toEqual([
    warning(expect.stringContaining("no daemon answers"), "start it: ccl-queue start"),
  ]);
});

describe("all checks", () => {
  test("are run at the same time, and one that fails or hangs is a finding of its own", async () => {
    let running = 0;
    const meet = async () => {
      running += 1;
      await vi.waitUntil(() => running === 2);
      return [ok("met")];
    };
    const found = await runChecks(
      [
        { name: "first", look: meet },
        { name: "second", look: meet },
        { name: "fails", look: async () => await Promise.reject(new Error("boom")) },
        { name: "hangs", look: async () => await new Promise(() => {}) },
        { name: "silent", look: async () => [] },
      ],
      await config(),
      500,
    );
    expect(found.map(({ check, level, found }) => [check, level, found])).toEqual([
      ["first", "ok", "met"],
      ["second", "ok", "met"],
      ["fails", "problem", "cannot be checked: boom"],
      ["hangs", "problem", "cannot be checked: no answer within 0.5 s"],
    ]);
  });

  test("are told with a sign, what was found, and how to mend it", () => {
    const checks = [
      { check: "node", ...ok("Node.js 20") },
      { check: "daemon", ...warning("it is away", "start it") },
      { check: "config", ...problem("one\ntwo \u001B[31m", "mend it") },
    ];
    expect(describeChecks(checks, PLAIN)).toEqual([
      "✓ node    Node.js 20",
      "! daemon  it is away",
      "          → start it",
      "✗ config  one",
      "          two  [31m",
      "          → mend it",
      "",
      "1 to mend, 1 to look at",
    ]);
    expect(describeChecks(checks.slice(0, 1), PLAIN).at(-1)).toBe("all is well");
  });
});
