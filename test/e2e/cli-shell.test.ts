import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createProgram } from "../../src/cli/program.ts";
import { command } from "../helpers/command.ts";
import { underFileModes } from "../helpers/limits.ts";
import { openTerminal } from "../helpers/terminal.ts";

const MAIN = new URL("../../dist/main.js", import.meta.url).pathname;
const DIST = new URL("../../dist/", import.meta.url).href;
const PACKAGE = /node_modules.((?:@[^/]+.)?[^/]+)/;
const VERBS = createProgram().commands.map((verb) => verb.name());

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "ccl-shell-"));
  await mkdir(join(dir, "projects", "site", ".agent-queue", "inbox"), { recursive: true });
  await writeFile(
    join(dir, "ccl-queue.yaml"),
    "state_dir: state\ndispatcher: { projects_dir: projects }\nserver: { port: 0 }\n",
  );
});
afterEach(async () => await rm(dir, { recursive: true }));

const ccl = async (...args: string[]) => await command(args, { cwd: dir, environment: { HOME: dir } });

describe("a command line", () => {
  test.each(VERBS)("that asks for help with %s is told how to call it, with examples", async (verb) => {
    const { code, out, err } = await ccl(verb, "--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(new RegExp(`^Usage: ccl-queue ${verb}[ |]`));
    expect(out).toMatch(new RegExp(`^Examples:\n {2}\\$ ccl-queue ${verb}\\b.* # \\S`, "m"));
  });

  test("that asks for help sees every verb", async () => {
    const { code, out } = await ccl("--help");
    expect(code).toBe(0);
    for (const verb of VERBS) expect(out).toMatch(new RegExp(`^ {2}${verb}\\b`, "m"));
    expect((await ccl()).err).toBe(out);
  });

  test("that asks for the version gets it", async () => {
    expect(await ccl("--version")).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: "" });
  });

  test.each([
    [["statsu"], "unknown command 'statsu'\n(Did you mean status?)"],
    [["status", "--jsn"], "unknown option '--jsn'\n(Did you mean --json?)"],
    [["list", "--state", "lost"], "Allowed choices are waiting, delayed, "],
    [["list", "--limit", "0"], "It is a number from 1 to 10000."],
    [["list", "--limit", "1e3"], "It is a number from 1 to 10000."],
    [["add", "-p", "urgent", "x"], "Allowed choices are critical, high, default, low."],
    [["cancel"], "missing required argument 'task'"],
    [["show", "a.md", "b.md"], "too many arguments"],
    [["completion", "tcsh"], "Allowed choices are bash, zsh, fish."],
    [["retry"], "name the tasks, or give --all-failed"],
    [["retry", "--all-failed", "x.md"], "name the tasks, or give --all-failed"],
    [["retry", "--project", "site", "x.md"], "--project goes with --all-failed"],
    [["add"], "say what is to be done"],
  ])("that makes no sense ends with 2 and says why: %j", async (args, why) => {
    const { code, out, err } = await ccl(...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^ccl-queue: /);
    expect(err).toContain(why);
  });

  test("that reads from what nobody writes to ends well", async () => {
    const { exitCode } = await execa("bash", [
      "-c",
      `set -o pipefail; "${process.execPath}" "${MAIN}" completion zsh | true`,
    ]);
    expect(exitCode).toBe(0);
  });
});

/** Says on stderr which modules a process of Node.js loads. */
const WATCH_IMPORTS = `
  import { register } from "node:module";
  register("data:text/javascript," + encodeURIComponent(\`
    import { writeSync } from "node:fs";
    export async function resolve(specifier, context, next) {
      const resolved = await next(specifier, context);
      writeSync(2, "loads " + resolved.url + "\\\\n");
      return resolved;
    }
  \`));
`;
const sourceMap = z.object({ sources: z.array(z.string()) });

/** What a module of the build was made from, or else the module itself. */
async function sourcesOf(url: string): Promise<string[]> {
  if (!url.startsWith(DIST)) return [url];
  const map = await readFile(new URL(`${url}.map`), "utf8").catch(() => '{ "sources": [] }');
  return sourceMap.parse(JSON.parse(map)).sources;
}

describe("what a verb loads", () => {
  async function packages(...args: string[]): Promise<string[]> {
    const watching = ["--import", `data:text/javascript,${encodeURIComponent(WATCH_IMPORTS)}`, MAIN, ...args];
    const environment = { HOME: dir, CCL_QUEUE_CONFIG: "", NODE_OPTIONS: "" };
    const { stderr } = await execa(process.execPath, watching, { cwd: dir, env: environment, reject: false });
    const urls = [...stderr.matchAll(/^loads (.+)$/gm)].map(([, url = ""]) => url);
    const sources = (await Promise.all(urls.map(sourcesOf))).flat();
    return [...new Set(sources.flatMap((source) => PACKAGE.exec(source)?.[1] ?? []))].sort();
  }

  test.each([["--help"], ["completion", "bash"], ["list", "--help"]])(
    "for help is next to nothing: %s",
    async (...args) => {
      expect(await packages(...args)).toEqual(["commander"]);
    },
  );

  test.each([
    ["list"],
    ["status"],
    ["status", "--all"],
    ["show", "x.md"],
    ["logs", "x.md"],
    ["cancel", "x.md"],
    ["retry", "x.md"],
    ["add", "x"],
    ["hold"],
    ["resume"],
    ["sessions"],
    ["attach", "x.md"],
  ])("for asking the daemon is what reads configuration and answers: %s", async (...args) => {
    const loaded = await packages(...args);
    expect(loaded).toContain("zod");
    const width = ["string-width", "strip-ansi", "ansi-regex", "get-east-asian-width"];
    const light = ["commander", "fastest-levenshtein", "gray-matter", "js-yaml", "picocolors", "yaml", "zod", ...width];
    expect(loaded.filter((name) => !light.includes(name))).toEqual([]);
  });
});

/** Where programs are found, `ccl-queue` among them. */
async function pathWithCommand(): Promise<string> {
  const bin = join(dir, "bin");
  await mkdir(bin, { recursive: true });
  await writeFile(join(bin, "ccl-queue"), `#!/bin/sh\nexec "${process.execPath}" "${MAIN}" "$@"\n`, { mode: 0o755 });
  return `${bin}:${process.env["PATH"]}`;
}

describe("in bash", () => {
  /** What may come in place of the last word, as bash is told. */
  async function completed(...words: string[]): Promise<string[]> {
    const script = `
      source <(ccl-queue completion bash)
      compopt() { COMPREPLY+=("compopt $*"); }
      COMP_WORDS=(ccl-queue "$@"); COMP_CWORD=$#
      _ccl_queue
      printf '%s\\n' "\${COMPREPLY[@]}"
    `;
    const env = { PATH: await pathWithCommand(), HOME: dir, CCL_QUEUE_CONFIG: "" };
    const { stdout } = await execa("bash", ["-c", script, "bash", ...words], { cwd: dir, env });
    return stdout.split("\n").filter((line) => line !== "");
  }

  test("verbs, options, values, projects and files are completed", async () => {
    expect(await completed("re")).toEqual(["retry", "resume"]);
    expect(await completed("list", "--st")).toEqual(["--state"]);
    expect(await completed("list", "--state", "=", "fa")).toEqual(["failed"]);
    expect(await completed("add", "--project", "")).toEqual(["site"]);
    expect(await completed("route", "")).toEqual(["compopt -o default"]);
    expect(await completed("list", "")).toEqual([]);
  });

  test("the script is registered for the command", async () => {
    const { stdout } = await execa("bash", [
      "-c",
      `source <("${process.execPath}" "${MAIN}" completion bash); complete -p ccl-queue`,
    ]);
    expect(stdout).toBe("complete -F _ccl_queue ccl-queue");
  });
});

/** In which of the other shells the script is read, and asked, where they are installed. */
const ASKED: Readonly<Record<string, (shell: string, script: string) => Promise<void>>> = {
  zsh: async (shell, script) => {
    const environment = { HOME: dir, CCL_QUEUE_CONFIG: "", PS1: "> " };
    // tmux gives its own PATH to what it starts.
    const argv = ["env", `PATH=${await pathWithCommand()}`, shell, "-f", "-i"];
    const terminal = await openTerminal(argv, { cwd: dir, environment });
    onTestFinished(async () => await terminal.close());
    await terminal.type(`autoload -Uz compinit && compinit -u -D && source ${script} && echo it is ""read`);
    await terminal.press("Enter");
    await terminal.shows(/^it is read$/m);
    const lines = { "list --state fa": "list --state failed", "add --project ": "add --project site" };
    for (const [typed, completed] of Object.entries(lines)) {
      await terminal.type(`ccl-queue ${typed}`);
      await terminal.press("Tab");
      expect(await terminal.shows(completed)).toContain(`ccl-queue ${completed}`);
      await terminal.press("C-u");
    }
  },
  fish: async (shell, script) => {
    const env = { PATH: await pathWithCommand(), HOME: dir, CCL_QUEUE_CONFIG: "" };
    const asked = async (line: string) => {
      const asking = ["--no-config", "-c", `source ${script}; complete -C "${line}"`];
      const { stdout } = await execa(shell, asking, { cwd: dir, env });
      return stdout.split("\n").map((candidate) => candidate.split("\t")[0]);
    };
    expect(await asked("ccl-queue re")).toEqual(["resume", "retry"]);
    expect(await asked("ccl-queue list --state fa")).toEqual(["failed"]);
    expect(await asked("ccl-queue add --project ")).toEqual(["site"]);
  },
};

test.each(Object.entries(ASKED).filter(([shell]) => spawnSync(shell, ["-c", "exit"]).status === 0))(
  "in %s, too, verbs, values and projects are completed",
  async (shell, ask) => {
    const script = join(dir, `completion.${shell}`);
    await writeFile(script, (await ccl("completion", shell)).out);
    await execa(shell, ["-n", script]);
    await ask(shell, script);
  },
);

describe("doctor", () => {
  test("tells what it found, and ends with 1 where something must be mended", async () => {
    const agent = { claude: { command: process.execPath, args: ["-e", "0", "--"] } };
    await writeFile(
      join(dir, "ccl-queue.yaml"),
      JSON.stringify({ state_dir: "state", dispatcher: { projects_dir: "projects" }, server: { port: 0 }, ...agent }),
    );
    const { code, out } = await ccl("doctor");
    expect(out).toMatch(/^✗ claude {4}.*is version ""/m);
    expect(out).toMatch(/^! daemon {4}no daemon answers in .*\n +→ start it: ccl-queue start$/m);
    for (const check of ["config", "node", "tmux", "redis", "state", "projects", "disk", "port"])
      expect(out).toMatch(new RegExp(`^✓ ${check}`, "m"));
    expect(out).toMatch(/\n\n1 to mend, 1 to look at\n$/);
    expect(code).toBe(1);
    const json = JSON.parse((await ccl("doctor", "--json")).out);
    expect(json).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([
        { check: "claude", level: "problem", found: expect.any(String), mend: expect.any(String) },
      ]),
    });
  });

  test("finds each directory of a project that it may not write", async () => {
    const folders = ["", "inbox", "done", "failed"].map((name) => join(dir, "projects", "site", ".agent-queue", name));
    for (const folder of folders) await mkdir(folder, { recursive: true });
    const refused = async () => {
      const { out } = await command(["doctor"], { cwd: dir, environment: { HOME: dir }, under: underFileModes() });
      return [...out.matchAll(/^✗ projects {2}(.+) cannot be written by this user$/gm)].map(([, path]) => path);
    };
    expect(await refused()).toEqual([]);
    for (const folder of folders) {
      await chmod(folder, 0o555);
      expect(await refused()).toEqual([folder]);
      await chmod(folder, 0o755);
    }
  });

  test("needs no configuration to say that there is none", async () => {
    await rm(join(dir, "ccl-queue.yaml"));
    expect(await ccl("doctor")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^✗ config {2}there is no configuration/),
    });
  });
});

describe("route", () => {
  test("explains who would do a task, without a daemon and without a configuration", async () => {
    await writeFile(join(dir, "fix.md"), "---\npriority: critical\nallow_delegation: true\nmodel: x\n---\nFix it.\n");
    expect((await ccl("route", "fix.md")).out.split("\n")).toEqual([
      "the local pool: delegation is not configured (no SECUTOOLS_API_KEY)",
      "  priority critical, model opus, timeout 2 h",
      "",
      "Rules, in their order:",
      "  ✓  needs_claude_code must be false       false",
      "  ✓  preferred_ai must not be claude-code  auto",
      "  ✓  allow_delegation must be true         true",
      "  →  delegation must be configured         it is not",
      "warning: model: not a key that ccl-queue knows",
      "",
    ]);
    await rm(join(dir, "ccl-queue.yaml"));
    expect((await ccl("route", "fix.md")).out).toContain("warning: there is no configuration");
  });

  test("goes by the platform that is configured, also for stdin", async () => {
    const environment = { HOME: dir, SECUTOOLS_URL: "http://127.0.0.1:9", SECUTOOLS_API_KEY: "k" };
    const input = "---\nallow_delegation: true\ncomplexity_hint: high\n---\nThink.\n";
    const { code, out } = await command(["route", "--json", "-"], { cwd: dir, environment, input });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ route: "delegated", provider: "claude-api", reason: "complexity_hint is high", warnings: [] },
      rules: [{}, {}, {}, {}, {}, { rule: "complexity_hint chooses the provider", found: "high", decides: true }],
    });
  });

  test("refuses what cannot be read, or run", async () => {
    await writeFile(join(dir, "empty.md"), "---\ntitle: x\n---\n");
    await symlink("nowhere", join(dir, "link.md"));
    for (const file of ["missing.md", "link.md", "empty.md", "."])
      expect(await ccl("route", file)).toMatchObject({
        code: 1,
        out: "",
        err: expect.stringContaining("[TASK_INVALID]"),
      });
  });
});
