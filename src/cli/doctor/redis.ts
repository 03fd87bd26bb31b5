import type { Config } from "../../config/config.ts";
import { messageOf } from "../../core/errors.ts";
import { socketPath } from "../../core/socket-path.ts";
import { placeOf } from "../../queue/connection.ts";
import { inspectRedis, type RedisFacts } from "../../queue/inspect-redis.ts";
import { type Finding, ok, problem, warning } from "./check.ts";
import { programOutput } from "./program-output.ts";
import { isAtLeast } from "./versions.ts";

const OLDEST = [6, 2] as const;
const SERVERS = ["redis-server", "valkey-server"];

/** The Redis that is configured, else the embedded one. */
export async function lookAtRedis({ redisUrl, stateDir }: Config): Promise<Finding[]> {
  if (redisUrl !== null) return await lookAtConfigured(redisUrl);
  const running = await inspectRedis({ socket: socketPath(stateDir, "redis.sock") }).catch(() => null);
  return running === null ? [await lookAtInstalled()] : judge(running, `${running.name}, embedded`);
}

/** Only host and port are named: the URL may hold a password. */
async function lookAtConfigured(url: string): Promise<Finding[]> {
  const where = placeOf(url);
  try {
    const facts = await inspectRedis({ url });
    return judge(facts, `${facts.name} at ${where}`);
  } catch (error) {
    const mend = "start it, or correct redis.url or REDIS_URL; null = an embedded one";
    return [problem(`${where} does not answer: ${reasonOf(error)}`, mend)];
  }
}

/** A system's error may repeat what it took for the host. */
function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : messageOf(error);
}

function judge({ version, appendOnly, writeFailed, evictionPolicy }: RedisFacts, name: string): Finding[] {
  return [
    isAtLeast(version, OLDEST) ? ok(name) : problem(name, `use Redis ${OLDEST.join(".")} or newer, or Valkey`),
    evictionPolicy === "noeviction"
      ? ok("maxmemory-policy is noeviction")
      : problem(`maxmemory-policy is ${evictionPolicy}: it may drop jobs`, "CONFIG SET maxmemory-policy noeviction"),
    appendOnly
      ? ok("appendonly is yes")
      : warning("appendonly is no: a crash loses what jobs have gone through", "CONFIG SET appendonly yes"),
    ...(writeFailed ? [problem("it cannot write to its disk", "look into its log, and at its disk")] : []),
  ];
}

/** What the daemon would start. */
async function lookAtInstalled(): Promise<Finding> {
  for (const server of SERVERS) {
    const version = await programOutput(server, "--version");
    if (version === null) continue;
    const about = `${server} ${/v=([\d.]+)/.exec(version)?.[1] ?? ""}`.trim();
    return isAtLeast(about, OLDEST)
      ? ok(`${about}: the daemon starts it`)
      : problem(about, `install Redis ${OLDEST.join(".")} or newer, or Valkey`);
  }
  return problem(`none of ${SERVERS.join(", ")} is installed`, "install redis-server, or set redis.url or REDIS_URL");
}
