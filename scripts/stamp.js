import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { inProject } from "./project.js";

/**
 * Does the work unless the stamp says that it was done for just these files.
 * @param {string} stamp @param {string[]} files @param {() => Promise<void>} work
 */
export async function onceFor(stamp, files, work) {
  const now = fingerprint(files);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === now) return;
  await work();
  writeFileSync(stamp, now);
}

/** @param {string[]} files */
function fingerprint(files) {
  // Packages hold native programs: a checkout shared between machines needs its own.
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\n`);
  for (const file of files) {
    const content = readFileSync(inProject(file));
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}
