import { build } from "../../scripts/setup/build.js";

/** What is started as a program runs what `src/` says now. */
export async function setup(): Promise<void> {
  await build();
}
