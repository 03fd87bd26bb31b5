import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VERSIONS } from "../../scripts/setup/claude.js";
import { type ClaudeHome, makeClaudeHome } from "../helpers/claude-home.ts";
import { type ModelRequest, type ModelServer, type Reply, startModelServer } from "../helpers/model-server.ts";
import { type FixtureOptions, type QueueFixture, startQueue } from "../helpers/queue-fixture.ts";
import { until } from "../helpers/until.ts";

const CACHE = new URL("../../.cache/claude/", import.meta.url).pathname;

// One that is not installed fails its tests.
describe.each(VERSIONS)("Claude Code %s", (version) => {
  let model: ModelServer;
  let home: ClaudeHome;
  let queue: QueueFixture;
  let reply: (request: ModelRequest) => Reply;

  beforeEach(async () => {
    reply = () => ({ kind: "text", text: "Done." });
    model = await startModelServer({ reply: (request) => reply(request) });
    home = await makeClaudeHome({ modelUrl: model.url });
  });
  afterEach(async () => {
    await queue.stop();
    await model.close();
    await home.remove();
  });

  async function start(options: FixtureOptions = {}): Promise<void> {
    const command = join(CACHE, version, "node_modules", ".bin", "claude");
    queue = await startQueue({ ...options, claude: { command, environment: home.env } });
  }

  test("does a task, and its file says how", async () => {
    await start();
    reply = () => ({ kind: "text", text: "All *done* | really.\nSecond line." });
    await queue.drop("plain.md", "---\ntitle: Plain\n---\nSay that you are done.\n");
    await queue.drop("urgent.md", "---\npriority: critical\n---\nSay that you are done, soon.\n");
    expect(await queue.settled("done", 2, 60_000)).toEqual(["plain.md", "urgent.md"]);

    const written = await queue.read("done", "plain.md");
    expect(written.startsWith("---\ntitle: Plain\n---\nSay that you are done.\n\n\n<!-- ccl-queue:footer -->\n")).toBe(
      true,
    );
    expect(written).toMatch(
      /\| session \| ccl-auto-1[12] \|\n\| model \| sonnet \|\n\| attempts \| 1 \|\n\| duration \| /,
    );
    expect(written).toContain("| tokens | 1,110 in, 20 out |");
    expect(written).toMatch(/\| cost \| \$0\.00\d*[1-9]\d* \|/);
    expect(written).toContain("\n> All *done* | really.\n> Second line.\n");
    expect(modelOf("Say that you are done.\n")).toContain("sonnet");
    expect(modelOf("Say that you are done, soon.\n")).toContain("opus");
  });

  test("calls a tool in the project, whatever the project's path", async () => {
    await start({ project: `it's "quoted" and spaced` });
    await writeFile(join(queue.project, "CLAUDE.md"), "A project that nobody has trusted yet.\n");
    const path = join(queue.project, "made", "by-claude.txt");
    reply = ({ toolResults }) =>
      toolResults.length === 0
        ? { kind: "tool", name: "Write", input: { file_path: path, content: "written by a tool\n" } }
        : { kind: "text", text: "I wrote it." };
    await queue.drop("write.md", "Write the file.\n");
    expect(await queue.settled("done", 1, 60_000)).toEqual(["write.md"]);
    expect(await readFile(path, "utf8")).toBe("written by a tool\n");
    expect(await queue.read("done", "write.md")).toContain("\n> I wrote it.\n");
  });

  test("takes every prompt as that task's prompt, and executes none of it", async () => {
    const trap = "touch PWNED";
    const prompts: Record<string, string> = {
      backticks: `\`${trap}\` and $(${trap}) and \${HOME}; ${trap} | cat > PWNED && ${trap}\n`,
      quotes: `'${trap}' "${trap}" it's "half open\n`,
      slash: "/clear\n",
      "slash-exit": "/exit",
      bang: `! ${trap}\n`,
      hash: "# a heading, or a memory\n",
      at: "@README.md what is this?\n",
      dash: "--help\n-p dangerous\n",
      emoji: "👩‍👩‍👧‍👦 🇨🇭 ❯ é — 漢字\n",
      crlf: "first\r\nsecond\r\n",
      backslash: "ends with a backslash\\",
      exit: "exit",
      quit: ":q\n",
      control: "bell \u0007 interrupt \u0003 end \u0004 escape \u001b[31mred\u001b[0m delete \u007f.\n",
      "paste-end": `before\u001b[201~\n/exit\n! ${trap}\n`,
      blanks: "   \n\n  indented, with blank lines around\n\n\n",
      long: `${"A line of a long prompt. ".repeat(40)}\n`.repeat(300),
    };
    await start({ sessions: 3 });
    for (const [name, prompt] of Object.entries(prompts)) await queue.drop(`${name}.md`, prompt);
    const names = Object.keys(prompts).map((name) => `${name}.md`);
    expect(await queue.settled("done", names.length, 150_000)).toEqual(names.toSorted());

    for (const [name, prompt] of Object.entries(prompts)) {
      const launched = queue.events.find((event) => event.type === "launched" && event.task.name === `${name}.md`);
      const run = launched?.type === "launched" ? launched.run : "";
      const texts = model.requests.filter(({ side }) => !side).map((request) => request.prompt);
      expect(texts, name).toContain(kept(`[run ${run}]\n${prompt}`));
    }
    expect(model.requests.filter(({ side }) => !side)).toHaveLength(names.length);
    expect((await readdir(queue.project)).toSorted()).toEqual([".agent-queue"]);
    expect(Buffer.byteLength(prompts["long"] ?? "")).toBeGreaterThan(300_000);
  }, 180_000);

  test("refused by the API for good, the task is in failed/ with the reason and the session is free again", async () => {
    await start({ sessions: 1 });
    reply = ({ prompt }) =>
      prompt.includes("forbidden") ? { kind: "error", status: 404 } : { kind: "text", text: "Fine." };
    await queue.drop("forbidden.md", "forbidden\n");
    await queue.settled("failed", 1, 60_000);
    expect(await queue.read("failed", "forbidden.md")).toContain("| error | RUN_API_ERROR: model_not_found: ");
    await queue.drop("allowed.md", "allowed\n");
    expect(await queue.settled("done", 1, 60_000)).toEqual(["allowed.md"]);
  });

  test("is gone from the session once its task is done", async () => {
    await start({ sessions: 1 });
    await mkdir(join(queue.project, "src"));
    await queue.drop("short.md", "Be quick.\n");
    await queue.settled("done", 1, 60_000);
    await until("the pane is an idle shell", async () =>
      /^(ba|da|z)?sh$/.test(await queue.tmux("list-panes", "-t", "=ccl-auto-11:", "-F", "#{pane_current_command}")),
    );
    expect(await readdir(join(home.configDir, "sessions")).catch(() => [])).toEqual([]);
  });

  /** What this version hands on: 2.1.329 takes control characters out, and says so. */
  function kept(text: string): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
    return version === "2.1.197" ? text : text.replaceAll(/[\u0001-\u0008\u000e-\u001f\u007f]/g, "");
  }

  function modelOf(prompt: string): string {
    return model.requests.find((request) => !request.side && request.prompt.endsWith(`]\n${prompt}`))?.model ?? "";
  }
});
