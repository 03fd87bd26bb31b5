import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { until } from "./until.ts";

/** A server of Redis on loopback. */
export interface RedisServer {
  readonly port: number;
  /** What its redis-cli prints. */
  cli(...args: string[]): Promise<string>;
  /** kill -9 */
  kill(): Promise<void>;
}

interface StartOptions {
  readonly sentinel?: boolean;
  readonly cluster?: boolean;
  /** What its redis-cli is to say besides. */
  readonly cli?: readonly string[];
  /** Any free one unless given. */
  readonly port?: number;
}

/** Servers of Redis with a directory of their own, as an operator would set them up. */
export interface RedisServers {
  readonly dir: string;
  /** Starts one with these lines of configuration: a sentinel, a node of a cluster, or one on its own. */
  start(lines?: readonly string[], options?: StartOptions): Promise<RedisServer>;
  stop(): Promise<void>;
}

export async function prepareRedisServers(): Promise<RedisServers> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-redis-"));
  const started: RedisServer[] = [];

  async function start(lines: readonly string[] = [], options: StartOptions = {}): Promise<RedisServer> {
    const { sentinel = false, cluster = false, cli = [] } = options;
    const port = options.port ?? (await freePort());
    const own = join(dir, String(port));
    await mkdir(own, { recursive: true });
    const file = join(own, "redis.conf");
    // The lines of a test come last: where two say the same, the last counts.
    const common = [`port ${port}`, "bind 127.0.0.1", `dir ${own}`];
    const node = cluster ? ["cluster-enabled yes", `cluster-port ${await freePort()}`] : [];
    await writeFile(file, [...common, ...node, ...(sentinel ? [] : ['save ""']), ...lines, ""].join("\n"));
    const args = [file, ...(sentinel ? ["--sentinel"] : [])];
    const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "ignore"] });
    const exited = once(child, "exit");
    let log = "";
    child.stdout.on("data", (data) => {
      log += data;
    });
    const run = async (...more: string[]) =>
      (await execa("redis-cli", ["-p", String(port), ...cli, ...more], { reject: false })).stdout;
    const server: RedisServer = {
      port,
      cli: run,
      async kill() {
        child.kill("SIGKILL");
        await exited;
      },
    };
    const answers = async () => child.exitCode !== null || (await run("ping")) === "PONG";
    await until(`the server on ${port} answers`, answers);
    if (child.exitCode === null) {
      started.push(server);
      return server;
    }
    // Somebody took one of its ports in between.
    if (options.port === undefined && /Failed listening/.test(log)) return await start(lines, options);
    throw new Error(`the server on ${port} has ended:\n${log}`);
  }

  return {
    dir,
    start,
    async stop() {
      for (const server of started) await server.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Nobody has it now, and so soon nobody will. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("there is no port");
  return address.port;
}
