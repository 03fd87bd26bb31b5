import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { messageOf } from "../../src/core/errors.ts";
import { claim, claimAsItIs, isClaimed, isProjectGone, isTakenBack, unclaim } from "../../src/ledger/claim.ts";
import { fingerprint, sight } from "../../src/ledger/completeness.ts";
import { claimedPath, inboxDir, takenPath, taskPath } from "../../src/ledger/layout.ts";
import { mark } from "../../src/ledger/mark.ts";
import { type Marker, writeMarker } from "../../src/ledger/marker.ts";
import { readTask } from "../../src/ledger/read-task.ts";
import { hesitate } from "../helpers/hesitate.ts";

const RUN = "kabcdefghi-1";

let task: { project: string; name: string };
let waiting: string;
let running: string;

beforeEach(() => {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "claim-")));
  onTestFinished(() => rmSync(project, { recursive: true }));
  task = { project, name: "x.md" };
  mkdirSync(inboxDir(project), { recursive: true });
  waiting = taskPath(task);
  running = claimedPath(task);
});

/** Drops a file as operators should: written elsewhere, moved in whole. */
function drop(text: string): void {
  const draft = join(task.project, "draft");
  writeFileSync(draft, text);
  utimesSync(draft, 1_000_000_000, 1_000_000_000);
  renameSync(draft, waiting);
}

async function seen(): Promise<string> {
  const sighting = await sight(waiting);
  if (sighting === null) throw new Error("the file is gone");
  return fingerprint(sighting);
}

const inbox = () => readdirSync(inboxDir(task.project)).sort();

describe("a claim", () => {
  test("renames the file that was enqueued", async () => {
    drop("Do it.");
    expect(await claim(task, await seen())).toBe("claimed");
    expect(inbox()).toEqual(["x.md.dispatched"]);
    expect(readFileSync(running, "utf8")).toBe("Do it.");
  });

  test("of a file that was taken away finds it gone", async () => {
    drop("Do it.");
    const enqueued = await seen();
    unlinkSync(waiting);
    expect(await claim(task, enqueued)).toBe("gone");
    expect(inbox()).toEqual([]);
  });

  test("of a file that was just written and enqueued needs no second wait", async () => {
    writeFileSync(waiting, "Do it.");
    expect(await claim(task, await seen())).toBe("claimed");
  });

  test("takes the new content of a file that was replaced whole", async () => {
    drop("Do it.");
    const enqueued = await seen();
    drop("Do that instead.");
    expect(await claim(task, enqueued)).toBe("claimed");
    expect(readFileSync(running, "utf8")).toBe("Do that instead.");
  });

  test("waits for a file that is being changed", async () => {
    drop("Do it.");
    const enqueued = await seen();
    writeFileSync(waiting, "Do it, and");
    expect(await claim(task, enqueued)).toBe("unfinished");
    expect(inbox()).toEqual(["x.md"]);
  });

  test("waits while an earlier task of the name runs, and touches neither", async () => {
    writeFileSync(running, "The earlier one.");
    drop("Do it.");
    expect(await claim(task, await seen())).toBe("unfinished");
    expect(readFileSync(running, "utf8")).toBe("The earlier one.");
    expect(readFileSync(waiting, "utf8")).toBe("Do it.");
  });

  describe("beside a marker", () => {
    const marker: Marker = {
      ...{ job: "kabcdefghi", attempt: 1, earlierRuns: 0, remoteId: null, provider: "gpu", reason: "it may" },
      ...{ submittedAt: new Date().toISOString(), fingerprint: "of it", text: "Do it." },
    };

    test("waits while the task is with secutools", async () => {
      drop("Do it.");
      await writeMarker(task, marker);
      expect(await claim(task, await seen())).toBe("unfinished");
      expect(inbox()).toEqual(["x.md", "x.md.delegated"]);
    });

    test("keeps a marker away while the task runs", async () => {
      drop("Do it.");
      await claim(task, await seen());
      expect(await mark(task, marker)).toBe(false);
      expect(inbox()).toEqual(["x.md.dispatched"]);
    });

    test.each(Array.from({ length: 100 }, (_, round) => round))(
      "at the same moment, one or none stays, round %d",
      async () => {
        drop("Do it.");
        const [claimed, isMarked] = await Promise.all([seen().then((known) => claim(task, known)), mark(task, marker)]);
        const left = { claimed: ["x.md.dispatched"], marked: ["x.md", "x.md.delegated"], none: ["x.md"] };
        expect(claimed === "claimed" && isMarked).toBe(false);
        expect(inbox()).toEqual(left[isMarked ? "marked" : claimed === "claimed" ? "claimed" : "none"]);
      },
    );
  });

  test.each(Array.from({ length: 20 }, (_, round) => round))("is won by one of several, round %d", async () => {
    drop("Do it.");
    const enqueued = await seen();
    const claims = await Promise.all([claim(task, enqueued), claim(task, enqueued), claim(task, enqueued)]);
    expect(claims.filter((each) => each === "claimed")).toHaveLength(1);
    expect(inbox()).toEqual(["x.md.dispatched"]);
  });

  test("does not hide what went wrong with the disk", async () => {
    task = { ...task, name: `${"x".repeat(245)}.md` };
    waiting = taskPath(task);
    drop("Do it.");
    await expect(claim(task, await seen())).rejects.toMatchObject({ code: "ENAMETOOLONG" });
    expect(inbox()).toEqual([task.name]);
  });
});

describe("a claim as it is", () => {
  test("takes a file whatever its state", async () => {
    writeFileSync(waiting, "Do it, and");
    expect(await claimAsItIs(task)).toBe(true);
    expect(inbox()).toEqual(["x.md.dispatched"]);
  });

  test("waits while an earlier task of the name runs", async () => {
    writeFileSync(running, "The earlier one.");
    drop("Do it.");
    expect(await claimAsItIs(task)).toBe(false);
    expect(inbox()).toEqual(["x.md", "x.md.dispatched"]);
  });

  test("of a file that was taken away is a missing file", async () => {
    await expect(claimAsItIs(task)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("a task with the longest name there is can be claimed, or is refused with a reason", async () => {
  task = { ...task, name: `${"x".repeat(252)}.md` };
  waiting = taskPath(task);
  drop("Do it.");
  const parsed = await readTask(task);
  const verdict = parsed.ok ? await claim(task, await seen()).catch(messageOf) : "refused";
  expect(["claimed", "refused"]).toContain(verdict);
});

test("a claim of a changed file waits for the program that still holds it open", async () => {
  drop("Do it.");
  const enqueued = await seen();
  const writer = await holdOpen(`exec 3>> '${waiting}'`);
  const later = Date.now() + 60_000;
  // Written in place, and long settled by its times: nothing but the open file tells.
  utimesSync(waiting, later / 1_000, later / 1_000);
  vi.useFakeTimers({ toFake: ["Date"], now: later });
  onTestFinished(() => void vi.useRealTimers());
  expect(await claim(task, enqueued)).toBe("unfinished");
  writer.kill("SIGKILL");
  await once(writer, "exit");
  expect(await claim(task, enqueued)).toBe("claimed");
});

/** A shell that opens a file and keeps it open. */
async function holdOpen(script: string): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", `${script}; echo open; read line`], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

test("a task is claimed from its claim until it is given back", async () => {
  drop("Do it.");
  expect(await isClaimed(task)).toBe(false);
  await claim(task, await seen());
  expect(await isClaimed(task)).toBe(true);
  await unclaim(task);
  expect(await isClaimed(task)).toBe(false);
});

describe("a claimed task is taken back", () => {
  beforeEach(async () => {
    drop("Do it.");
    await claim(task, await seen());
  });

  test("by removing its claim, and not before", async () => {
    expect(await isTakenBack(task, RUN)).toBe(false);
    unlinkSync(running);
    expect(await isTakenBack(task, RUN)).toBe(true);
  });

  test("by moving its claim elsewhere", async () => {
    renameSync(running, join(task.project, "x.md"));
    expect(await isTakenBack(task, RUN)).toBe(true);
  });

  test("whatever was dropped under its name meanwhile", async () => {
    drop("Do that instead.");
    expect(await isTakenBack(task, RUN)).toBe(false);
    unlinkSync(running);
    expect(await isTakenBack(task, RUN)).toBe(true);
  });

  test("in an inbox that is a link to one elsewhere, too", async () => {
    const elsewhere = join(task.project, "elsewhere");
    renameSync(inboxDir(task.project), elsewhere);
    symlinkSync(elsewhere, inboxDir(task.project));
    expect(await isTakenBack(task, RUN)).toBe(false);
    unlinkSync(running);
    expect(await isTakenBack(task, RUN)).toBe(true);
  });

  test("not while its claim is a link that leads nowhere", async () => {
    unlinkSync(running);
    symlinkSync(join(task.project, "nowhere"), running);
    expect(await isTakenBack(task, RUN)).toBe(false);
  });

  test("not by another task's claim that goes", async () => {
    expect(await isTakenBack({ ...task, name: "y.md" }, RUN)).toBe(true);
    expect(await isTakenBack(task, RUN)).toBe(false);
  });

  test("not when the inbox is gone as a whole, as when a disk is unplugged", async () => {
    renameSync(inboxDir(task.project), join(task.project, "moved"));
    expect(await isTakenBack(task, RUN)).toBe(false);
  });

  test("not with its whole project, which was deleted or renamed: that is told apart", async () => {
    expect(await isProjectGone(task)).toBe(false);
    renameSync(task.project, `${task.project}-elsewhere`);
    onTestFinished(() => rmSync(`${task.project}-elsewhere`, { recursive: true }));
    expect(await isTakenBack(task, RUN)).toBe(false);
    expect(await isProjectGone(task)).toBe(true);
    mkdirSync(task.project);
    expect(await isProjectGone(task)).toBe(false);
  });

  test("not when the folder above its project is gone, too, as when a disk is unplugged", async () => {
    expect(await isProjectGone({ ...task, project: join(task.project, "media", "disk") })).toBe(false);
  });

  test("not when its project comes back between two looks", async () => {
    const away = `${task.project}-elsewhere`;
    for (let round = 0; round < 400; round += 1) {
      renameSync(task.project, away);
      const looks = [isTakenBack(task, RUN), isTakenBack(task, RUN)];
      await hesitate(round % 6);
      renameSync(away, task.project);
      expect(await Promise.all(looks)).toEqual([false, false]);
    }
  });

  test("not by the end of its run, which has the file", async () => {
    renameSync(running, takenPath(task, RUN));
    expect(await isTakenBack(task, RUN)).toBe(false);
    expect(await isTakenBack(task, "kabcdefghi-2")).toBe(true);
  });

  test("not when something else stands where the inbox was", async () => {
    renameSync(inboxDir(task.project), join(task.project, "moved"));
    writeFileSync(inboxDir(task.project), "");
    expect(await isTakenBack(task, RUN)).toBe(false);
  });

  test("not when one cannot look", async () => {
    expect(await isTakenBack({ ...task, name: `${"x".repeat(300)}.md` }, RUN)).toBe(false);
  });
});

describe("to give a claim back", () => {
  test("puts the file into the inbox again", async () => {
    drop("Do it.");
    await claim(task, await seen());
    await unclaim(task);
    expect(inbox()).toEqual(["x.md"]);
    expect(readFileSync(waiting, "utf8")).toBe("Do it.");
  });

  test("may be repeated after a crash", async () => {
    drop("Do it.");
    await claim(task, await seen());
    await unclaim(task);
    await unclaim(task);
    expect(inbox()).toEqual(["x.md"]);
  });

  test("may be repeated after a crash between the two names", async () => {
    drop("Do it.");
    await claim(task, await seen());
    linkSync(running, waiting);
    await unclaim(task);
    expect(inbox()).toEqual(["x.md"]);
  });

  test("leaves the file the same as the one that was enqueued: it is not seen as edited", async () => {
    writeFileSync(waiting, "Do it.");
    const enqueued = await seen();
    await claim(task, enqueued);
    await unclaim(task);
    expect(await seen()).toBe(enqueued);
  });

  test("of nothing does nothing", async () => {
    await unclaim(task);
    expect(inbox()).toEqual([]);
  });

  test("overwrites no new file that took the name, and loses neither", async () => {
    drop("The earlier one.");
    await claim(task, await seen());
    drop("The new one.");
    await unclaim(task);
    expect(readFileSync(waiting, "utf8")).toBe("The new one.");
    expect(everyText()).toEqual(["The earlier one.", "The new one."]);
  });

  test("does not leave the new file that took the name waiting for ever", async () => {
    drop("The earlier one.");
    await claim(task, await seen());
    drop("The new one.");
    await unclaim(task);
    expect(await claim(task, await seen())).toBe("claimed");
  });
});

/** The texts of all files in the project, wherever they are. */
function everyText(): string[] {
  return readdirSync(task.project, { recursive: true, encoding: "utf8", withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .sort();
}
