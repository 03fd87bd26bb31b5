import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { signal } from "../../src/workers/process.ts";
import { until } from "./until.ts";

interface Living {
  readonly pid: number;
  readonly name: string;
  readonly isOfRun: boolean;
}

/** The living processes with this home. */
export async function livingIn(home: string): Promise<Living[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = async (file: string) => await readFile(join("/proc", pid, file), "utf8").catch(() => "");
      const variables = (await read("environ")).split("\0");
      if (!variables.includes(`HOME=${home}`)) return [];
      const isOfRun = variables.some((it) => it.startsWith("CCL_QUEUE_RUN="));
      return { pid: Number(pid), name: (await read("comm")).trim(), isOfRun };
    }),
  );
  return found.flat();
}

/** Ends whoever has this home and still lives, and waits until they are gone. */
export async function endLivingIn(home: string): Promise<void> {
  await until(`nobody lives in ${home}`, async () => {
    const living = await livingIn(home);
    for (const { pid } of living) signal(pid, "SIGKILL");
    return living.length === 0;
  });
}
