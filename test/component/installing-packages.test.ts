import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";

let dir: string;
let checkout: string;

beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "packages-")));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  checkout = join(dir, "checkout");
  cpSync("scripts", join(checkout, "scripts"), { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) copyFileSync(name, join(checkout, name));
  // An npm that says what it was asked for, and fails.
  writeFileSync(join(dir, "npm"), `#!/bin/sh\necho "$@" > '${dir}/asked'\nexit 1\n`, { mode: 0o755 });
});

function build() {
  const env = { ...process.env, PATH: `${dir}:${process.env["PATH"]}` };
  return spawnSync(process.execPath, ["scripts/build.js"], { cwd: checkout, env, encoding: "utf8" });
}

const askedOfNpm = () => existsSync(join(dir, "asked"));

test("packages are installed where there are none", () => {
  expect(build().status).toBe(1);
  expect(askedOfNpm()).toBe(true);
});

test("packages are not installed through a link, which would empty the folder of another checkout", () => {
  mkdirSync(join(dir, "elsewhere"));
  symlinkSync(join(dir, "elsewhere"), join(checkout, "node_modules"));
  const { status, stderr } = build();
  expect([status, askedOfNpm()]).toEqual([1, false]);
  expect(stderr).toContain(`${join(checkout, "node_modules")} is a link`);
});
