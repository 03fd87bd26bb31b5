import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type Config, loadConfig } from "../../src/config/config.ts";
import { environmentWith } from "../helpers/environment.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
});

function load(yaml: string, environment = {}): Config {
  writeFileSync(join(dir, "ccl-queue.yaml"), yaml);
  return loadConfig(join(dir, "ccl-queue.yaml"), environmentWith({ home: "/home/op", ...environment }));
}

describe("a path in the file", () => {
  test.each([
    ["~/projects", "/home/op/projects"],
    ["~", "/home/op"],
    ["/srv/projects", "/srv/projects"],
    ["/srv/../srv/projects/", "/srv/projects"],
    ["/srv/~/x", "/srv/~/x"],
  ])("%s is %s", (text, path) => {
    expect(load(`dispatcher: { projects_dir: "${text}" }`).projectsDir).toBe(path);
  });

  test.each([
    ["projects", "projects"],
    ["./projects", "projects"],
    [".", ""],
    ["~other/projects", "~other/projects"],
  ])("%s lies beside the file, wherever the daemon was started", (text, below) => {
    expect(load(`dispatcher: { projects_dir: "${text}" }`).projectsDir).toBe(join(dir, below).replace(/\/$/, ""));
  });

  test("leads up from the file's folder", () => {
    mkdirSync(join(dir, "etc"));
    writeFileSync(join(dir, "etc", "q.yaml"), "dispatcher: { projects_dir: ../projects }");
    const config = loadConfig(join(dir, "etc", "q.yaml"), environmentWith({ home: "/home/op" }));
    expect(config.projectsDir).toBe(join(dir, "projects"));
  });

  test("is made absolute in every key that holds one", () => {
    const config = load(`
state_dir: state
pool: { shared_projects_dir: shared, dedicated: [{ project: site }, { project: ~/blog }] }
dispatcher: { projects_dir: projects }
claude: { command: bin/claude }
notify: { command: [bin/tell, a/b] }
`);
    expect(config).toMatchObject({
      stateDir: join(dir, "state"),
      sessionDir: join(dir, "shared"),
      projectsDir: join(dir, "projects"),
      dedicated: [{ project: join(dir, "site") }, { project: "/home/op/blog" }],
      claude: { command: join(dir, "bin/claude") },
      notify: { command: [join(dir, "bin/tell"), "a/b"] },
    });
  });

  test("of the configuration itself may be relative to where the daemon was started", () => {
    writeFileSync(join(dir, "q.yaml"), "dispatcher: { projects_dir: projects }");
    vi.spyOn(process, "cwd").mockReturnValue(dir);
    const config = loadConfig("q.yaml", environmentWith({ home: "/home/op" }));
    expect(config.projectsDir).toBe(join(dir, "projects"));
  });

  test("below a home whose name holds $& is taken as it is", () => {
    const config = load("dispatcher: { projects_dir: ~/projects }", { home: "/home/$&" });
    expect(config.projectsDir).toBe("/home/$&/projects");
  });
});

test.each([
  ["claude", "claude"],
  ["~/bin/claude", "/home/op/bin/claude"],
  ["/opt/claude", "/opt/claude"],
])("the command %s is %s: a bare name is left to PATH", (text, command) => {
  expect(load(`dispatcher: { projects_dir: a }\nclaude: { command: ${text} }`).claude.command).toBe(command);
});

describe("where Redis is", () => {
  const FILE = "redis://file:6379";
  const VARIABLE = "redis://variable:6379";

  test.each([
    ["in neither: an embedded one", "null", null, null],
    ["in the file", FILE, null, FILE],
    ["in REDIS_URL", "null", VARIABLE, VARIABLE],
    ["in both: REDIS_URL goes first", FILE, VARIABLE, VARIABLE],
  ])("%s", (_where, inFile, redisUrl, expected) => {
    const config = load(`dispatcher: { projects_dir: a }\nredis: { url: ${inFile} }`, { redisUrl });
    expect(config.redisUrl).toBe(expected);
  });
});
