import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CONFIG_TEMPLATE } from "../config/template.ts";
import { isSystemError, QueueError } from "../core/errors.ts";

/** `ccl-queue init`: writes a commented configuration, never over an existing one. */
export async function init(file: string): Promise<void> {
  const path = resolve(file);
  try {
    await writeFile(path, CONFIG_TEMPLATE, { flag: "wx" });
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
    throw new QueueError(`${path} is there already and was left alone`, { code: "CONFIG_EXISTS", cause: error });
  }
  process.stdout.write(`Wrote ${path}. Set dispatcher.projects_dir in it, then: ccl-queue start\n`);
}
