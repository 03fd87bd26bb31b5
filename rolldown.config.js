import { readFileSync } from "node:fs";
import { defineConfig } from "rolldown";

/** What every command loads: in files by the hundred it would take longer to start than to answer. */
const INLINED = ["commander", "fastest-levenshtein", "picocolors", "string-width", "yaml", "zod"];
/** Checks with the very zod that the schemas are made with. */
const WITH_ZOD = ["@hono/zod-openapi"];

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const external = Object.keys(dependencies).filter((name) => ![...INLINED, ...WITH_ZOD].includes(name));

export default defineConfig({
  input: { main: "src/main.ts", "ccl-delegate": "src/ccl-delegate.ts", library: "src/library.ts" },
  platform: "node",
  external: external.map((name) => new RegExp(`^${name}(/|$)`)),
  output: { dir: "dist", chunkFileNames: "[name].js", sourcemap: true },
});
