import { execFileSync } from "node:child_process";

/** Runs a script as root of a user namespace of its own, in which limits can be set and disks be mounted that nobody else has. */
function inNamespace(script: string): string[] {
  return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", `${script} && exec "$@"`, "sh"];
}

/** A program under which the system watches so many directories and no more; null where nobody may set that. */
export function underWatchLimit(watches: number): string[] | null {
  const under = inNamespace(`echo ${watches} > /proc/sys/user/max_inotify_watches`);
  return isPossible(under) ? under : null;
}

/** A program under which these directories are small disks of their own; null where nobody may mount them. */
export function underSmallDisks(directories: readonly string[], size: string): string[] | null {
  const mounts = directories.map((directory) => `mount -t tmpfs -o mode=700,size=${size} tmpfs '${directory}'`);
  return isPossible(inNamespace("mount -t tmpfs tmpfs /mnt")) ? inNamespace(["true", ...mounts].join(" && ")) : null;
}

/** A program under which file modes count, also for root. */
export function underFileModes(): string[] {
  return process.getuid?.() === 0 ? ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"] : [];
}

function isPossible([program = "", ...args]: readonly string[]): boolean {
  try {
    execFileSync(program, [...args, "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
