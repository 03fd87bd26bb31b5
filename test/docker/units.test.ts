import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";

const DEPLOY = fileURLToPath(new URL("../../deploy", import.meta.url));

let runtimeDir: string;
beforeEach(async () => {
  runtimeDir = await mkdtemp(join(tmpdir(), "ccl-queue-units-"));
});
afterEach(async () => await rm(runtimeDir, { recursive: true }));

test("systemd finds nothing to complain of in the units", async () => {
  const units = (await readdir(DEPLOY)).filter((name) => name.endsWith(".service"));
  expect(units).toEqual(["ccl-queue-tmux.service", "ccl-queue.service"]);
  const paths = units.map((name) => join(DEPLOY, name));
  const { all } = await execa("systemd-analyze", ["verify", "--user", ...paths], {
    // Without a session of systemd there is none.
    env: { XDG_RUNTIME_DIR: runtimeDir },
    all: true,
  });
  expect(all).toBe("");
});
