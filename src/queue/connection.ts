import { setTimeout as sleep } from "node:timers/promises";
import { Cluster, Redis, type RedisOptions } from "ioredis";
import { messageOf, QueueError } from "../core/errors.ts";

/** Where Redis is: a URL as the configuration has it, or the unix socket of the embedded one. */
export type RedisAddress = { readonly url: string } | { readonly socket: string };

export type RedisClient = Redis | Cluster;

/** Where a workspace is, and who is told of what goes wrong with it. */
export interface WorkspaceRedis {
  readonly address: RedisAddress;
  readonly workspace: string;
  readonly onError: (error: unknown) => void;
}

/** BullMQ's own steps reach 20 s, which a queue that is back already should not wait for. */
const MAX_RETRY_MS = 1_000;
const PROBE_TIMEOUT_MS = 2_000;
/** How answers are given is not ours to change: BullMQ reads them. */
type Options = Omit<RedisOptions, "replyMapping">;
const PORTS = { sentinel: 26_379, cluster: 6_379 };

/**
 * `redis+sentinel://user:password@host:port,host:port/DB?master=NAME` or `redis+cluster://user:password@host:port,…`,
 * with rediss for TLS.
 */
const SEVERAL =
  /^redis(?<tls>s?)\+(?<kind>sentinel|cluster):\/\/(?:(?<login>[^@/?]*)@)?(?<hosts>[^@/?]+)(?<rest>(?:\/\d*)?(?:\?.*)?)$/;
/** host, host:port, [IPv6] or [IPv6]:port */
const HOST = /^(?<host>\[[\da-f:.]+\]|[^\s:[\]]+)(?::(?<port>\d{1,5}))?$/i;

/** A connection for queues and workers: it waits for Redis as long as it takes and comes back by itself. */
export function connect(address: RedisAddress): RedisClient {
  return openRedis(address, { maxRetriesPerRequest: null }, (times) => Math.min(times * 100, MAX_RETRY_MS));
}

/** A connection that is tried once, when somebody asks for it. */
export function connectOnce(address: RedisAddress, options: Options): RedisClient {
  return openRedis(address, { ...options, lazyConnect: true }, () => null);
}

/** The process id of the Redis that answers at an address right now, or null when none does. */
export async function probe(address: RedisAddress): Promise<number | null> {
  // A socket answers at once or not at all: a limit would take one for gone when it is we who stand still.
  const redis = connectOnce(address, { connectTimeout: "url" in address ? PROBE_TIMEOUT_MS : 0 });
  redis.on("error", () => {});
  try {
    await redis.connect();
    const [, pid] = /process_id:(\d+)/.exec(await redis.info("server")) ?? [];
    return Number(pid);
  } catch {
    return null;
  } finally {
    redis.disconnect();
  }
}

/** Whether a command has no answer because its connection was closed, as ioredis says it. */
export function isCutOff(error: unknown): boolean {
  return messageOf(error) === "Connection is closed.";
}

/** Waits until Redis answers, and says so when it does not at once. @throws {QueueError} CONFIG_INVALID */
export async function untilReachable(
  address: { readonly url: string },
  onError: (error: Error) => void,
  signal?: AbortSignal,
): Promise<void> {
  for (let attempt = 0; (await probe(address)) === null; attempt += 1) {
    if (attempt === 0) onError(unreachable(address.url));
    await sleep(MAX_RETRY_MS, undefined, signal && { signal });
  }
}

/** What a URL may be called in a message: it may hold a password. */
export function placeOf(url: string): string {
  if (url.startsWith("/")) return url;
  const several = SEVERAL.exec(url)?.groups?.["hosts"];
  return several ?? ((URL.canParse(url) ? new URL(url).host : "") || "redis.url");
}

function unreachable(url: string): QueueError {
  return new QueueError(`Redis at ${placeOf(url)} does not answer`, {
    code: "REDIS_UNREACHABLE",
    hint: "start it or correct redis.url or REDIS_URL; the daemon waits for it",
  });
}

type Retry = (times: number) => number | null;

/** ioredis takes a path where a URL may stand, and knows no URLs of several servers. */
function openRedis(address: RedisAddress, options: Options, retry: Retry): RedisClient {
  const target = "url" in address ? address.url : address.socket;
  if (!/^rediss?\+/.test(target)) return new Redis(target, { ...options, retryStrategy: retry });
  const { kind, hosts, rest, login } = readSeveral(target);
  if (kind === "cluster") return openCluster(hosts, { ...login, ...options }, retry);
  const secure = login.tls === undefined ? {} : { sentinelTLS: {}, enableTLSForSentinelMode: true };
  const retries = { retryStrategy: retry, sentinelRetryStrategy: retry };
  return new Redis({ ...login, ...secure, ...sentinelOptions(hosts, rest), ...options, ...retries });
}

function openCluster(hosts: Several["hosts"], options: Options, retry: Retry): Cluster {
  const { lazyConnect = false, maxRetriesPerRequest = null, ...redisOptions } = options;
  return new Cluster([...hosts], {
    lazyConnect,
    clusterRetryStrategy: retry,
    redisOptions: { ...redisOptions, maxRetriesPerRequest },
    // A node's certificate is made for its name, and the lookup would take that away.
    dnsLookup: (name, done) => done(null, name),
  });
}

interface Several {
  readonly kind: "sentinel" | "cluster";
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  /** What stands behind the hosts. */
  readonly rest: URL;
  /** User, password and TLS of the servers that hold the data. */
  readonly login: Pick<Options, "username" | "password" | "tls">;
}

/** @throws {QueueError} CONFIG_INVALID */
function readSeveral(url: string): Several {
  const { tls, kind: text, login = "", hosts = "", rest = "" } = SEVERAL.exec(url)?.groups ?? {};
  const kind = text === "cluster" ? "cluster" : "sentinel";
  const read = hosts.split(",").map((host) => readHost(host, PORTS[kind]));
  if (read.includes(null)) throw invalid();
  return {
    kind,
    hosts: read.filter((one) => one !== null),
    rest: new URL(`redis://host${rest}`),
    login: { ...loginOf(login), ...(tls === "s" ? { tls: {} } : {}) },
  };
}

function sentinelOptions(hosts: Several["hosts"], { pathname, searchParams }: URL): Options {
  return {
    sentinels: [...hosts],
    name: searchParams.get("master") ?? "mymaster",
    db: Number(pathname.slice(1)),
    sentinelUsername: searchParams.get("sentinel_user") ?? undefined,
    sentinelPassword: searchParams.get("sentinel_password") ?? undefined,
  };
}

function readHost(text: string, usualPort: number): { host: string; port: number } | null {
  const { host, port = usualPort } = HOST.exec(text)?.groups ?? {};
  return host === undefined ? null : { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** `user:password`, each encoded as in any URL; both may be missing. */
function loginOf(text: string): Pick<Options, "username" | "password"> {
  const [user = "", ...password] = text.split(":");
  return { username: decoded(user), password: decoded(password.join(":")) };
}

function decoded(text: string): string | undefined {
  try {
    return text === "" ? undefined : decodeURIComponent(text);
  } catch (error) {
    throw invalid(error);
  }
}

function invalid(cause?: unknown): QueueError {
  return new QueueError("redis.url or REDIS_URL is none that ccl-queue can read", {
    code: "CONFIG_INVALID",
    hint: "for several servers: redis+sentinel://…?master=NAME or redis+cluster://…; see docs/several-hosts.md",
    cause,
  });
}
