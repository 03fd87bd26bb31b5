import { constants } from "node:fs";
import { link, lstat, mkdir, open, readdir, rename, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Content, Places } from "./hostile-corpus.ts";
import { mkfifo } from "./mkfifo.ts";

const MIB = 1024 * 1024;
/** What has a second name in an inbox. */
const SHARED = ["shared.md", "large.md"];
/** Long ago: the first time that a file is read from here on changes the time of its last access. */
const LONG_AGO = new Date("2001-01-01T00:00:00Z");

/** Puts something into a folder, whole, as a rename would. `staging` is a folder on the same disk. */
export async function put(folder: string, name: string | Buffer, content: Content, staging: string): Promise<void> {
  const draft = join(staging, `draft-${Math.random().toString(36).slice(2)}`);
  await make(draft, content);
  await rename(draft, Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]));
}

async function make(path: string, content: Content): Promise<void> {
  switch (content.kind) {
    case "text":
      return await writeFile(path, content.text);
    case "sparse":
      await writeFile(path, "");
      return await truncate(path, content.bytes);
    case "link":
      return await symlink(content.to, path);
    case "hard link":
      return await link(content.to, path);
    case "pipe":
      return await mkfifo(path);
    case "socket":
      return await makeSocket(path);
    case "folder":
      await mkdir(path);
  }
}

/** A socket without anybody behind it: Node would remove its own when it closes it, but not under another name. */
async function makeSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.listening`, resolve));
  await link(`${path}.listening`, path);
  await new Promise((resolve) => server.close(resolve));
}

/** Fills the folder outside of all projects with what hostile files lead to, and looks at it for the first time. */
export async function layCanaries({ outside, project }: Places): Promise<Canaries> {
  await mkdir(outside);
  await writeFile(join(project, "task.txt"), "from the project");
  await writeFile(join(outside, "secret.md"), "a password");
  await writeFile(join(outside, "shared.md"), "shared");
  await writeFile(join(outside, "large.md"), "l".repeat(3 * MIB));
  await mkfifo(join(outside, "pipe"));
  for (const name of await readdir(outside)) await utimes(join(outside, name), LONG_AGO, new Date());
  return new Canaries(outside);
}

/** What stands in a folder that nobody may look into. */
export class Canaries {
  readonly #folder: string;
  /** By name: what says that nothing was read and nothing was changed. */
  #before: ReadonlyMap<string, string> = new Map();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** From now on, nothing may change. */
  async watch(): Promise<void> {
    this.#before = await this.#look();
  }

  /** The names of what was added, removed, changed or read since. */
  async disturbed(): Promise<string[]> {
    const now = await this.#look();
    const names = new Set([...this.#before.keys(), ...now.keys()]);
    return [...names].filter((name) => this.#before.get(name) !== now.get(name)).sort();
  }

  /** Whether somebody waits at the pipe for something to be written. */
  async isPipeRead(): Promise<boolean> {
    const { O_WRONLY, O_NONBLOCK } = constants;
    const handle = await open(join(this.#folder, "pipe"), O_WRONLY | O_NONBLOCK).catch(() => null);
    await handle?.close();
    return handle !== null;
  }

  async #look(): Promise<Map<string, string>> {
    const looks = new Map<string, string>();
    for (const name of await readdir(this.#folder)) {
      const { ino, size, mode, mtimeNs, atimeNs } = await lstat(join(this.#folder, name), { bigint: true });
      // A second name in an inbox makes it a task, which is read.
      const readAt = SHARED.includes(name) ? 0n : atimeNs;
      looks.set(name, [ino, size, mode, mtimeNs, readAt].join(" "));
    }
    return looks;
  }
}
