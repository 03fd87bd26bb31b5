import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { countTasks, folderOf, namesIn, PROJECTS } from "./places.js";
import { makePlan, makeQuickPlan, tokenOf } from "./plans.js";

/**
 * @typedef {ReturnType<typeof openAuthor>} Author
 * @typedef {object} AuthorOptions
 * @property {import("./places.js").Places} places
 * @property {import("./random.js").Random} random
 * @property {import("./journal.js").Journal} journal
 * @property {(project: string, name: string) => Promise<unknown>} cancel as with the command line
 */

/** As many may wait before the author has a rest. */
const ENOUGH = 40;
const PAUSE_MS = [50, 700];
/** A slow writer's pieces, and the pauses between them. */
const PIECES = [2, 5];
const PIECE_PAUSE_MS = [20, 600];

/** The person whose tasks they are: one thing after the other, at random. @param {AuthorOptions} options */
export function openAuthor({ places, random, journal, cancel }) {
  let count = 0;
  /** @type {Set<Promise<void>>} */
  const writing = new Set();
  /** Names that are being written: nobody edits these. @type {Set<string>} */
  const open = new Set();

  const newToken = () => {
    count += 1;
    return `t${count}`;
  };
  const anyProject = () => random.pick(PROJECTS) ?? PROJECTS[0];

  /** @param {string} project @param {string} name @param {import("./plans.js").Plan} plan @param {string} token @param {(draft: string, path: string) => void} move */
  function place(project, name, plan, token, move) {
    const draft = join(places.drafts, name);
    writeFileSync(draft, plan.text);
    move(draft, join(folderOf(places, project, "inbox"), name));
    rmSync(draft, { force: true });
    journal.dropped(token, project, name, plan);
  }

  function drop() {
    const token = newToken();
    place(anyProject(), `${token}.md`, makePlan(random, token), token, renameSync);
  }

  /** A new file, a piece at a time. */
  function write() {
    const token = newToken();
    const [project, name, plan] = [anyProject(), `${token}.md`, makePlan(random, token)];
    const file = openSync(join(folderOf(places, project, "inbox"), name), "wx");
    open.add(name);
    const written = writeSlowly(file, Buffer.from(plan.text)).then(() => {
      journal.dropped(token, project, name, plan);
      open.delete(name);
      writing.delete(written);
    });
    writing.add(written);
  }

  /** @param {number} file @param {Buffer} bytes */
  async function writeSlowly(file, bytes) {
    const size = Math.ceil(bytes.length / between(PIECES));
    for (let offset = 0; offset < bytes.length; offset += size) {
      writeSync(file, bytes.subarray(offset, offset + size));
      await sleep(between(PIECE_PAUSE_MS));
    }
    closeSync(file);
  }

  /** Some task's name that ends like this, in a folder of some project. @param {"inbox" | "done" | "failed"} folder @param {string} suffix */
  function anyName(folder, suffix) {
    const project = anyProject();
    const names = namesIn(folderOf(places, project, folder));
    const name = random.pick(names.filter((one) => one.endsWith(suffix) && !one.startsWith(".") && !open.has(one)));
    return name === undefined ? null : { project, name, path: join(folderOf(places, project, folder), name) };
  }

  /** The token of the text that was taken out with that. @param {string} path @param {(path: string, trash: string) => void} take */
  function taken(path, take) {
    const trash = join(places.trash, `${Date.now()}-${random.between(0, 1e9)}.md`);
    take(path, trash);
    return tokenOf(readFileSync(trash, "utf8"));
  }

  /** Another text in the place of one that waits, as an editor saves it. */
  function edit() {
    const found = anyName("inbox", ".md");
    if (found === null) return;
    journal.givenUp(taken(found.path, linkSync), "replaced");
    const token = newToken();
    place(found.project, found.name, makePlan(random, token), token, renameSync);
  }

  function remove() {
    const found = anyName("inbox", ".md");
    if (found !== null) journal.removed(taken(found.path, renameSync));
  }

  function removeRunning() {
    const found = anyName("inbox", ".md.dispatched");
    if (found !== null) journal.givenUp(taken(found.path, renameSync), "claim removed");
  }

  /** A text of its own under a name that runs. */
  function dropBeside() {
    const found = anyName("inbox", ".md.dispatched");
    if (found === null) return;
    const token = newToken();
    place(found.project, found.name.replace(/\.dispatched$/, ""), makePlan(random, token), token, linkSync);
  }

  /** @param {"done" | "failed"} folder */
  function putBack(folder) {
    const found = anyName(folder, ".md");
    if (found === null) return;
    const token = tokenOf(readFileSync(found.path, "utf8"));
    linkSync(found.path, join(folderOf(places, found.project, "inbox"), found.name));
    unlinkSync(found.path);
    journal.retried(token, found.name);
  }

  async function cancelByCommand() {
    const found = anyName("inbox", ".md.dispatched") ?? anyName("inbox", ".md");
    if (found === null) return;
    const name = found.name.replace(/\.dispatched$/, "");
    journal.cancelled(found.project, name);
    await cancel(found.project, name);
  }

  /** @type {{ weight: number, act: () => void | Promise<void> }[]} */
  const deeds = [
    { weight: 60, act: drop },
    { weight: 16, act: write },
    { weight: 5, act: edit },
    { weight: 3, act: remove },
    { weight: 2, act: removeRunning },
    { weight: 3, act: dropBeside },
    { weight: 6, act: () => putBack("failed") },
    { weight: 1, act: () => putBack("done") },
    { weight: 1, act: cancelByCommand },
  ];

  /** @param {number[]} range */
  const between = ([min = 0, max = 0]) => random.between(min, max);

  /** What is not there, or there already, in this very moment is left alone. @param {() => void | Promise<void>} act */
  async function tryTo(act) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Error && "code" in error && ["ENOENT", "EEXIST"].includes(String(error.code))))
        throw error;
    }
  }

  return {
    /** Goes on until the signal aborts. @param {AbortSignal} signal */
    async work(signal) {
      while (!signal.aborted) {
        const hasEnough = countTasks(places).waiting > ENOUGH;
        const deed = random.weighted(hasEnough ? deeds.slice(2) : deeds);
        if (deed !== undefined) await tryTo(deed.act);
        await sleep(between(PAUSE_MS), undefined, { signal }).catch(() => {});
      }
      await Promise.all(writing);
    },

    /** Many at once. @param {number} size */
    async burst(size) {
      const project = anyProject();
      for (let index = 0; index < size; index += 1) {
        const token = newToken();
        await tryTo(() => place(project, `${token}.md`, makeQuickPlan(random, token), token, renameSync));
      }
    },
  };
}
