import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const lock = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        version: z.string().optional(),
        hasInstallScript: z.boolean().optional(),
        dev: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(read("package-lock.json")));

test("the packages that would run a program when they are installed are those that docs/dependencies.md lists", () => {
  const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const named = scripted.map(([path, { dev }]) => [
    path.replace(/^.*node_modules\//, ""),
    dev === true ? "dev" : "run",
  ]);
  const [, section = ""] = read("docs/dependencies.md").split("## Install scripts\n");
  const listed = [...section.matchAll(/^\| `([^`]+)` \| (dev|run) \|/gm)].map(([, name, when]) => [name, when]);
  expect(named.toSorted()).toEqual(listed.toSorted());
});

test("no package's program is run when it is installed, here and in the image", () => {
  expect(read(".npmrc")).toMatch(/^ignore-scripts=true$/m);
  expect(read("Dockerfile")).toMatch(/COPY .*\.npmrc/);
  expect(`${read("scripts/setup/packages.js")}${read("Dockerfile")}`).not.toMatch(/ignore-scripts=false|npm rebuild/);
});
