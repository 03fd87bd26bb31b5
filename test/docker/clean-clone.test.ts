import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../helpers/until.ts";
import { type ComposeProject, freePort, openProject, ROOT } from "./compose-project.ts";

/** Kept after the tests, so that the next build has something to begin with. */
const IMAGE = "ccl-queue:test-clone";
const BUILD_MS = 900_000;
const DONE_MS = 60_000;
const DONE = "/projects/demo/.agent-queue/done";
/** The one change: where the network of the engine leads nowhere, the build needs that of the machine. */
const BUILD_NETWORK = "services: { agents: { build: { network: host } } }\n";

let dir: string;
let clone: ComposeProject;
/** What the service `demo` said at the first start. */
let shown: string;

/** `docker compose --profile demo up -d` in a clone, with nothing before it. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-queue-clone-"));
  await copyRepository(dir);
  await writeFile(join(dir, "docker-compose.override.yml"), BUILD_NETWORK);
  const port = await freePort();
  const own = {
    CCL_QUEUE_PORT: `${port}`,
    CCL_QUEUE_IMAGE: IMAGE,
    COMPOSE_PROJECT_NAME: `ccl-queue-clone-${randomBytes(4).toString("hex")}`,
  };
  const env = { ...(await withoutSettings()), ...own };
  clone = await openProject({ argv: ["--profile", "demo"], cwd: dir, env, port, timeoutMs: BUILD_MS });
  await clone.compose("up", "-d");
  await clone.ready();
  await until(
    "the samples are shown",
    async () => {
      shown = await clone.compose("logs", "--no-color", "demo");
      return shown.split("| ccl-queue | done |").length === 3;
    },
    DONE_MS,
  );
}, BUILD_MS);

afterAll(async () => {
  await clone.compose("down", "--volumes", "--remove-orphans", "--timeout", "5");
  await rm(dir, { recursive: true });
}, 60_000);

/** What git knows or would add, as it is now: no .env, no projects. */
async function copyRepository(to: string): Promise<void> {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = await execa("git", list, { cwd: ROOT });
  const paths = stdout.split("\0").filter((path) => path !== "" && existsSync(join(ROOT, path)));
  for (const path of paths) await cp(join(ROOT, path), join(to, path));
}

/** The environment of an operator who has set nothing. */
async function withoutSettings(): Promise<Record<string, undefined>> {
  const settings = (await readFile(join(ROOT, ".env.example"), "utf8")).matchAll(/^(?:# )?([A-Z_]+)=/gm);
  return Object.fromEntries([...settings].map(([, name = ""]) => [name, undefined]));
}

const inside = async (service: "agents" | "ccl-queue" | "redis", command: string) =>
  await clone.compose("exec", "-T", service, "sh", "-c", command);
const token = async () => (await inside("ccl-queue", "cat /secrets/ccl-queue/token")).trim();
const password = async () => (await inside("ccl-queue", "cat /secrets/redis/password")).trim();

test("the sample tasks are done and shown, one by an agent and one by the stand-in", async () => {
  expect(shown).toContain("> I wrote a haiku about queues into haiku.txt.");
  expect(shown).toContain("| route | delegated: complexity_hint is low |");
  expect(await inside("ccl-queue", `ls ${DONE}`)).toBe("hello.md\nnotes.md");
  expect(await inside("ccl-queue", "cat /projects/demo/haiku.txt")).toContain("A file in the box.");
});

test.each(["/", "/queues", "/watchdog/status"])(
  "%s answers with the token that was made, and not without",
  async (path) => {
    expect((await clone.ask(path, await token()))?.status).toBe(200);
    expect((await clone.ask(path, await password()))?.status).toBe(401);
    expect((await clone.ask(path, ""))?.status).toBe(401);
    expect((await clone.ask(path))?.status).toBe(401);
  },
);

test("the daemon's is the only port that is published, on this machine alone", async () => {
  expect(await clone.published()).toEqual([["127.0.0.1", new URL(clone.url).port]]);
});

test("Redis refuses whoever has no password, and the daemon has it", async () => {
  expect(await inside("redis", "redis-cli ping")).toContain("NOAUTH");
  expect(await inside("redis", `REDISCLI_AUTH=${await token()} redis-cli ping 2>&1`)).toContain("NOAUTH");
  expect(await inside("redis", `REDISCLI_AUTH=${await password()} redis-cli ping`)).toBe("PONG");
  expect(await inside("ccl-queue", "ccl-queue doctor || true")).toMatch(/✓ redis +Redis \S+ at redis:6379/);
});

test("agents have none of the secrets: no volume, no variable", async () => {
  expect(await clone.inspect("ccl-queue", "{{json .Mounts}}")).toContain('"/secrets"');
  expect(await clone.inspect("agents", "{{json .Mounts}}")).not.toContain("secrets");
  const seen = `${await inside("agents", "env; cat /proc/1/environ; ls -a /")}${await clone.inspect("agents", "{{json .Config.Env}}")}`;
  expect(seen).toContain("TMUX_TMPDIR");
  expect(seen).not.toMatch(/REDIS|TOKEN=|SECUTOOLS|secrets/);
  for (const secret of [await token(), await password()]) expect(seen.includes(secret)).toBe(false);
});

test("only those who need the secrets can read them, and nothing shows them", async () => {
  const modes = await inside("redis", "cd /secrets && stat -c '%n %a %u:%g' redis redis/* ccl-queue ccl-queue/*");
  expect(modes.trim().split("\n")).toEqual([
    "redis 750 0:1000",
    "redis/password 640 0:1000",
    "ccl-queue 700 1000:1000",
    "ccl-queue/token 600 1000:1000",
  ]);
  const containers = await Promise.all(
    (["ccl-queue", "redis", "agents", "init"] as const).map(async (it) => await clone.inspect(it, "{{json .}}")),
  );
  const seen = [await clone.compose("logs", "--no-color"), ...containers].join("\n");
  expect(seen).toContain("docker compose exec ccl-queue cat /secrets/ccl-queue/token");
  for (const secret of [await token(), await password()]) {
    expect(secret).toMatch(/^[\da-f]{48}$/);
    expect(seen.includes(secret)).toBe(false);
  }
});

test("all containers may be made anew: the secrets stay, and so does what was done", async () => {
  const before = [await token(), await password()];
  await clone.compose("down", "--timeout", "5");
  await clone.compose("up", "-d");
  await clone.ready();
  expect([await token(), await password()]).toEqual(before);
  expect((await clone.ask("/", before[0]))?.status).toBe(200);
  expect(await inside("ccl-queue", `ls ${DONE}`)).toContain("hello.md");
});

test("where no token can be kept, there is no daemon", async () => {
  const { exitCode, all } = await execa("docker", ["run", "--rm", "--network", "none", IMAGE], {
    all: true,
    reject: false,
  });
  expect(exitCode).not.toBe(0);
  expect(all).toMatch(/^[^\n]*\/secrets\/ccl-queue\/token[^\n]*$/);
});
