import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseRunId } from "../../core/id.ts";
import { packageFile } from "../../core/package-file.ts";
import { writeTrouble } from "../../core/write-trouble.ts";
import { runSettings } from "../claude/settings.ts";
import { type RunRecord, runRecord } from "./record.ts";

/** The shell programs of every run, from the package's libexec/. */
const PROGRAMS = ["launch.sh", "hook.sh"] as const;
const LIBEXEC = packageFile("libexec/");

interface Program {
  readonly name: string;
  readonly text: string;
}

/** The directory of each run, under the state directory: all that a run needs, and all that it leaves behind. */
export class RunStore {
  readonly #root: string;
  /** Read once, so that all runs of a daemon get the programs of one version. */
  #programs: readonly Program[] | null = null;

  constructor(stateDir: string) {
    this.#root = join(stateDir, "runs");
  }

  pathOf(run: string, ...parts: string[]): string {
    return join(this.#root, run, ...parts);
  }

  /** Makes a run's directory. The programs are copied into it, so that an upgrade changes nothing for a running agent. */
  async create(record: RunRecord): Promise<void> {
    const { id, project } = record;
    this.#programs ??= await Promise.all(PROGRAMS.map(readProgram));
    await mkdir(this.pathOf(id, "events"), { recursive: true, mode: 0o700 }).catch((error) => this.#refuse(error));
    await Promise.all([
      this.save(record),
      symlink(project, this.pathOf(id, "project")).catch((error) => this.#refuse(error)),
      this.#write(id, "settings.json", JSON.stringify(runSettings(), null, 2)),
      ...this.#programs.map(({ name, text }) => this.#write(id, name, text)),
    ]);
  }

  /** Writes what the agent reads. The first line makes whatever follows plain text to it. */
  async writePrompt(run: string, prompt: string): Promise<void> {
    await this.#write(run, "prompt.md", `${runTag(run)}\n${prompt}`);
  }

  /** Keeps the record, whole or not at all. */
  async save(record: RunRecord): Promise<void> {
    await this.#write(record.id, ".run.json", JSON.stringify(record, null, 2));
    await rename(this.pathOf(record.id, ".run.json"), this.pathOf(record.id, "run.json"));
  }

  /** Nothing of the run is owed any more. */
  async close(record: RunRecord): Promise<void> {
    record.state = { name: "closed", atMs: Date.now() };
    await this.save(record);
  }

  /** The runs that are not closed, oldest first. Directories without a readable record were never launched. */
  async open(): Promise<RunRecord[]> {
    const records = await this.#all();
    return records.filter(({ state }) => state.name !== "closed").sort((a, b) => a.preparedAtMs - b.preparedAtMs);
  }

  /** Whether a run has a directory here. */
  async has(run: string): Promise<boolean> {
    return (await this.#read(run)) !== null;
  }

  /** The runs of a task that have a directory here, the first one first. */
  async runsOf(task: string): Promise<string[]> {
    const own = (await this.#names()).flatMap((name) => {
      const run = parseRunId(name);
      return run?.id === task ? [{ name, runs: run.runs }] : [];
    });
    return own.sort((a, b) => a.runs - b.runs).map(({ name }) => name);
  }

  async remove(run: string): Promise<void> {
    await rm(this.pathOf(run), { recursive: true, force: true });
  }

  /** Removes runs that were closed, or left without a record, longer ago than they are kept. */
  async prune(keepMs: number): Promise<void> {
    for (const name of await this.#names()) {
      const overMs = await this.#overMs(name);
      if (overMs !== null && overMs < Date.now() - keepMs) await this.remove(name);
    }
  }

  /** When a run was over, null while it is not. */
  async #overMs(run: string): Promise<number | null> {
    const record = await this.#read(run);
    if (record !== null) return record.state.name === "closed" ? record.state.atMs : null;
    return await stat(this.pathOf(run)).then(
      ({ mtimeMs }) => mtimeMs,
      () => null,
    );
  }

  async #names(): Promise<string[]> {
    return await readdir(this.#root).catch(() => []);
  }

  async #all(): Promise<RunRecord[]> {
    const names = await this.#names();
    const records = await Promise.all(names.map((name) => this.#read(name)));
    return records.filter((record) => record !== null);
  }

  /** A record that names another run is none: what it names would be removed in the end. */
  async #read(run: string): Promise<RunRecord | null> {
    try {
      const record = runRecord.parse(JSON.parse(await readFile(this.pathOf(run, "run.json"), "utf8")));
      return record.id === run ? record : null;
    } catch {
      return null;
    }
  }

  async #write(run: string, name: string, text: string): Promise<void> {
    await writeFile(this.pathOf(run, name), text, { mode: 0o600 }).catch((error) => this.#refuse(error));
  }

  #refuse(error: unknown): never {
    throw writeTrouble(this.#root, error);
  }
}

async function readProgram(name: string): Promise<Program> {
  return { name, text: await readFile(new URL(name, LIBEXEC), "utf8") };
}

/** The first line of a run's prompt, and the proof of whose prompt was taken. */
export function runTag(run: string): string {
  return `[run ${run}]`;
}

/** The program of a run and its arguments, as tmux starts it. */
export function runArguments(
  store: RunStore,
  run: RunRecord,
  claude: { command: string; args: readonly string[] },
): string[] {
  const launch = ["sh", store.pathOf(run.id, "launch.sh"), store.pathOf(run.id)];
  const session = [
    run.resumed ? "--resume" : "--session-id",
    run.claudeSession,
    "--settings",
    store.pathOf(run.id, "settings.json"),
    "--model",
    run.model,
  ];
  return [...launch, claude.command, ...claude.args, ...session];
}
