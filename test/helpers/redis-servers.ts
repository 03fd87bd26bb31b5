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

/** Servers of Redis with a directory of their own, as an operator would set them up. */
export interface RedisServers {
  readonly dir: string;
  /** Starts one with these lines of configuration; a sentinel where they are a sentinel's. */
  start(
    lines?: readonly string[],
    options?: { sentinel?: boolean; cli?: readonly string[]; port?: number },
  ): Promise<RedisServer>;
  stop(): Promise<void>;
}

export async function prepareRedisServers(): Promise<RedisServers> {
  const dir = await mkdtemp(join(tmpdir(), "ccl-queue-redis-"));
  const started: RedisServer[] = [];
  return {
    dir,
    async start(lines = [], { sentinel = false, cli = [], port: wanted } = {}) {
      const port = wanted ?? (await freePort());
      const own = join(dir, String(port));
      await mkdir(own, { recursive: true });
      const file = join(own, "redis.conf");
      // The lines of a test come last: where two say the same, the last counts.
      const common = [`port ${port}`, "bind 127.0.0.1", `dir ${own}`];
      await writeFile(file, [...common, ...(sentinel ? [] : ['save ""']), ...lines, ""].join("\n"));
      const args = [file, ...(sentinel ? ["--sentinel"] : [])];
      const child = spawn("redis-server", args, { stdio: "ignore" });
      const exited = once(child, "exit");
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
      started.push(server);
      await until(`the server on ${port} answers`, async () => (await run("ping")) === "PONG");
      return server;
    },
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
