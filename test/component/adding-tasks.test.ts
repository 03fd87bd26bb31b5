import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { addTask } from "../../src/control/add.ts";
import type { TaskDraft } from "../../src/control/task-view.ts";
import { PRIORITIES } from "../../src/core/task.ts";
import { isTaskName } from "../../src/ledger/layout.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";
import type { ProjectSet } from "../../src/producers/projects.ts";

/** What a file system takes, less what is appended to a task's name on its way. */
const MAX_NAME_BYTES = 255 - ".dispatched".length;

let dir: string;
let projects: ProjectSet;
let alpha: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "adding-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  projects = { projectsDir: join(dir, "projects"), listed: [] };
  alpha = makeProject("alpha");
});

const inbox = (project: string) => join(project, ".agent-queue", "inbox");

function makeProject(name: string, { open = true, parent = join(dir, "projects") } = {}): string {
  const project = join(parent, name);
  mkdirSync(open ? inbox(project) : project, { recursive: true });
  return project;
}

const add = async (draft: Partial<TaskDraft>) => await addTask({ text: "Do it.\n", ...draft }, projects);
const nameOf = async (draft: Partial<TaskDraft>) => (await add(draft)).task.name;
const codeOf = async (draft: Partial<TaskDraft>) =>
  await add(draft).then(
    ({ path }) => path,
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );

/** Every file there is below the test's directory. */
const files = () =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describe("a task's file is called after", () => {
  test.each([
    ["fix-the-login-test.md", "Fix the *login* test!\n"],
    ["fix-it.md", "\n\n  # Fix it\n\n"],
    ["uber-strasse.md", "Über Straße\n".normalize("NFD").replace("ß", "ss")],
    ["ｆｕｌｌ.md".normalize("NFKD"), "ｆｕｌｌ"],
    ["東京の天気.md", "東京の天気"],
    ["a-b-c-d.md", "a/b\\c:d"],
    ["etc-passwd.md", "../../etc/passwd"],
    ["script-alert-1-script.md", "<script>alert(1)</script>"],
    ["task.md", "!!! ??? ..."],
    ["task.md", "🙂 🙃"],
    ["task.md", "\u202e\u200b\u2028."],
    ["1-2-3.md", "1.2.3"],
    ["a-b.md", "a\u0000b".replace("\u0000", "\u0007")],
  ])("its first words: %s", async (name, text) => {
    expect(await nameOf({ text })).toBe(name);
  });

  test("its title, where it has one", async () => {
    expect(await nameOf({ text: "---\ntitle: The title!\n---\nThe first words.\n" })).toBe("the-title.md");
    expect(await nameOf({ text: "---\npriority: high\n---\nThe first words.\n" })).toBe("the-first-words.md");
  });

  test.each([
    ["many words", "lorem ipsum dolor sit amet ".repeat(100)],
    ["one long word", "x".repeat(100_000)],
    ["long words", `${"x".repeat(59)} ${"y".repeat(59)}`],
    ["a long word of large letters", "𠮷".repeat(1_000)],
    ["long words of large letters", "𠮷東".repeat(30).replaceAll("東", "東 ")],
    ["one letter with many accents", `a${"\u0301".repeat(5_000)}`],
  ])("no more than fits: %s", async (_what, text) => {
    const name = await nameOf({ text });
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(64);
    expect(isTaskName(name)).toBe(true);
    expect(readdirSync(inbox(alpha))).toEqual([name]);
    expect(name).not.toContain("\ufffd");
  });

  test("whole words, as many as fit", async () => {
    const text = Array.from({ length: 30 }, (_, index) => `word${index}`).join(" ");
    const words = (await nameOf({ text })).replace(/\.md$/, "").split("-");
    expect(words.length).toBeGreaterThan(5);
    expect(words).toEqual(Array.from({ length: words.length }, (_, index) => `word${index}`));
  });

  test("the name that is given, with or without its ending", async () => {
    expect(await nameOf({ name: "fix" })).toBe("fix.md");
    expect(await nameOf({ name: "Other Fix.md" })).toBe("Other Fix.md");
    expect(await nameOf({ name: "東京 🙂.md" })).toBe("東京 🙂.md");
    expect(await nameOf({ name: "a.b" })).toBe("a.b.md");
  });

  test("a name with a number where it is taken, and nothing is overwritten", async () => {
    const names = [];
    for (const text of ["one", "two", "three"]) names.push(await nameOf({ text, name: "fix" }));
    expect(names).toEqual(["fix.md", "fix-2.md", "fix-3.md"]);
    expect(names.map((name) => readFileSync(join(inbox(alpha), name), "utf8"))).toEqual(["one", "two", "three"]);
  });

  test("names of their own, however many come at once", async () => {
    const added = await Promise.all(Array.from({ length: 30 }, async () => await nameOf({})));
    expect(new Set(added).size).toBe(30);
    expect(readdirSync(inbox(alpha))).toHaveLength(30);
  });
});

describe("a name is refused, and nothing is written,", () => {
  test.each([
    "",
    ".",
    "..",
    "../x",
    "../../x.md",
    "a/b",
    "/etc/x",
    "x/",
    "./x",
    "a\0b",
    "x.md\0",
    "a\nb",
    "a\rb",
    "a\tb",
    "a\u001b[31mb",
    "a\u007fb",
    "a\u0085b",
    ".hidden",
    ".hidden.md",
    ".md",
    "x".repeat(300),
    `${"x".repeat(297)}.md`,
    "ü".repeat(150),
    "東".repeat(100),
    "𠮷".repeat(70),
  ])("when it is %j", async (name) => {
    expect(await codeOf({ name })).toBe("TASK_INVALID");
    expect(files()).toEqual([]);
  });
});

describe("a name that looks odd does no harm", () => {
  test.each(["-rf", "--help", "~", "$(reboot)", "`x`", "a;b", "a|b", "*", "x.md.dispatched", "x.md.delegated", " "])(
    "%j",
    async (name) => {
      const { task, path } = await add({ name });
      expect(path).toBe(join(inbox(alpha), task.name));
      expect(readdirSync(inbox(alpha))).toEqual([task.name]);
      expect(isTaskName(task.name)).toBe(true);
    },
  );

  test("a half of a letter: the file is called as the answer says", async () => {
    const found = await codeOf({ name: "a\ud800b" });
    expect(files().map((name) => join(inbox(alpha), name))).toEqual(found === "TASK_INVALID" ? [] : [found]);
  });
});

test("the longest name that is taken has room for what is appended on its way", async () => {
  for (let length = 400; length > 0; length -= 1) {
    const path = await codeOf({ name: "x".repeat(length) });
    if (path === "TASK_INVALID") continue;
    expect(Buffer.byteLength(basename(String(path)))).toBeLessThanOrEqual(MAX_NAME_BYTES);
    expect(length).toBeGreaterThan(100);
    break;
  }
  expect(files()).toHaveLength(1);
});

describe("the project", () => {
  test("need not be named where there is one only", async () => {
    expect((await add({})).task.project).toBe(alpha);
  });

  test("is not guessed where there are several, or none", async () => {
    makeProject("beta");
    expect(await codeOf({})).toBe("PROJECT_AMBIGUOUS");
    rmSync(join(dir, "projects"), { recursive: true });
    expect(await codeOf({})).toBe("PROJECT_AMBIGUOUS");
    expect(files()).toEqual([]);
  });

  test("without an inbox is none of those that are guessed from", async () => {
    makeProject("beta", { open: false });
    expect((await add({})).task.project).toBe(alpha);
  });

  test("goes by its name, its path, or a link to it", async () => {
    const beta = makeProject("beta");
    symlinkSync(beta, join(dir, "link"));
    for (const project of [
      "beta",
      beta,
      `${beta}/`,
      join(dir, "link"),
      join(dir, "projects", "..", "projects", "beta"),
    ])
      expect((await add({ project })).task.project).toBe(beta);
    expect(readdirSync(inbox(beta))).toHaveLength(5);
    expect(readdirSync(inbox(alpha))).toEqual([]);
  });

  test("gets its inbox with its first task, when it is named", async () => {
    const beta = makeProject("beta", { open: false });
    const { path } = await add({ project: "beta" });
    expect(path).toBe(join(inbox(beta), "do-it.md"));
    expect(existsSync(path)).toBe(true);
  });

  test.each(["gamma", "../alpha", "alp", "ALPHA", "", "/", "/etc", ".", "..", "alpha/inbox", "alpha\0"])(
    "is unknown by %j",
    async (project) => {
      expect(await codeOf({ project })).toBe("PROJECT_UNKNOWN");
      expect(files()).toEqual([]);
    },
  );

  test("is unknown where it is hidden, a file, or outside", async () => {
    makeProject(".hidden");
    const outside = makeProject("outside", { parent: dir });
    writeFileSync(join(dir, "projects", "file"), "mine");
    symlinkSync(join(dir, "projects", "file"), join(dir, "projects", "link-to-file"));
    for (const project of [".hidden", outside, "outside", "file", "link-to-file"])
      expect(await codeOf({ project })).toBe("PROJECT_UNKNOWN");
    expect(files()).toEqual(["file"]);
  });

  test.each([true, false])(
    "is ambiguous by a name that two have, with inboxes: %s; the answer tells them apart",
    async (open) => {
      const [one, two] = ["one", "two"].map((parent) => makeProject("beta", { open, parent: join(dir, parent) }));
      projects = { ...projects, listed: [one ?? "", two ?? ""] };
      const error: unknown = await add({ project: "beta" }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "PROJECT_AMBIGUOUS" });
      for (const project of [one, two]) expect(String(error)).toContain(project);
      expect(files()).toEqual([]);
      expect((await add({ project: one })).task.project).toBe(one);
      expect((await add({ project: two })).task.project).toBe(two);
    },
  );

  test("is the one with an inbox of two that bear a name", async () => {
    const closed = makeProject("beta", { open: false });
    const open = makeProject("beta", { parent: join(dir, "elsewhere") });
    projects = { ...projects, listed: [open] };
    expect((await add({ project: "beta" })).task.project).toBe(open);
    expect(readdirSync(closed)).toEqual([]);
  });

  test("that is listed is known without a projects folder", async () => {
    const listed = makeProject("listed", { parent: dir });
    projects = { projectsDir: null, listed: [listed] };
    expect((await add({})).task.project).toBe(listed);
  });
});

describe("a text is refused, and nothing is written,", () => {
  test.each([
    ["frontmatter that is no YAML", "---\n: [\n---\nDo it.\n"],
    ["frontmatter that is never closed", "---\ntitle: a\nDo it.\n"],
    ["frontmatter that is no list of keys", "---\n- a\n---\nDo it.\n"],
    ["nothing to do", "---\ntitle: a\n---\n \n"],
    ["nothing but blanks", " \n\t\n"],
    ["a NUL byte", "Do\0it."],
    ["more than a MiB", "x".repeat(1024 * 1024 + 1)],
    ["more than a MiB in bytes", "ü".repeat(512 * 1024 + 1)],
  ])("with %s", async (_what, text) => {
    expect(await codeOf({ text })).toBe("TASK_INVALID");
    for (const priority of PRIORITIES) expect(await codeOf({ text, priority })).toBe("TASK_INVALID");
    expect(files()).toEqual([]);
  });

  test("that is too large with its priority only", async () => {
    expect(await codeOf({ text: "x".repeat(1024 * 1024), priority: "high" })).toBe("TASK_INVALID");
    expect(files()).toEqual([]);
  });

  test("whose project has no inbox, none is made", async () => {
    const beta = makeProject("beta", { open: false });
    expect(await codeOf({ project: "beta", text: "---\n: [\n---\nx" })).toBe("TASK_INVALID");
    expect(await codeOf({ project: "beta", name: "../x" })).toBe("TASK_INVALID");
    expect(readdirSync(beta)).toEqual([]);
  });
});

describe("the file", () => {
  test("holds the text as it was given, to the byte", async () => {
    const text = "\uFEFF---\r\ntitle: Über\r\n---\r\nDo it.\r\n\r\n";
    const { path } = await add({ text });
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(dirname(path)).toBe(inbox(alpha));
  });

  test.each(PRIORITIES)("has the priority that is asked for, over the header's: %s", async (priority) => {
    for (const text of ["Do it.\n", "---\ntitle: a\npriority: low\n---\nDo it.\n"]) {
      const { path } = await add({ text, priority });
      const parsed = parseTask(readFileSync(path));
      expect(parsed).toMatchObject({ ok: true, header: { priority }, prompt: "Do it.\n" });
    }
  });

  test("leaves no draft beside it", async () => {
    const { task } = await add({});
    expect(readdirSync(inbox(alpha))).toEqual([task.name]);
  });
});
