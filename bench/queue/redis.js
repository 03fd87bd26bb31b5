import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Redis } from "ioredis";

const FIND = "command -v redis-server || command -v valkey-server";

/** @typedef {Awaited<ReturnType<typeof openRedis>>} PrivateRedis */

/**
 * A Redis as the program itself would start one: on a unix socket, each write on disk before it is acknowledged.
 * Close it in any case.
 * @param {import("../sandbox.js").Sandbox} sandbox
 */
export async function openRedis({ dir: sandboxDir, env }) {
  const dir = join(sandboxDir, "redis");
  const socket = join(dir, "redis.sock");
  mkdirSync(dir);
  const args = [
    ...["--port", "0", "--unixsocket", socket, "--dir", dir],
    ...["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"],
  ];
  const program = execFileSync("sh", ["-c", FIND], { env, encoding: "utf8" }).trim();
  // Detached: a Ctrl-C is for the benchmark, which then ends Redis in its turn.
  const server = spawn(program, args, { env, detached: true, stdio: "ignore" });
  const exited = once(server, "exit");
  const client = connectTo(socket);
  const close = async () => {
    client.disconnect();
    server.kill("SIGKILL");
    await exited;
  };
  try {
    await Promise.race([client.ping(), exited.then(() => Promise.reject(new Error("redis-server did not start")))]);
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
  return { socket, client, close };
}

/** A connection as queues and workers want it: it waits for Redis until it is there. @param {string} socket */
export function connectTo(socket) {
  const client = new Redis(socket, { maxRetriesPerRequest: null, retryStrategy: () => 10 });
  // Until it is there, and after it was ended.
  return client.on("error", () => {});
}

/** Ends the Redis that a daemon left behind, if there is one. @param {string} socket */
export async function endLeftRedis(socket) {
  const redis = connect(socket, () => redis.end("SHUTDOWN NOSAVE\r\n"));
  redis.on("error", () => {}).resume();
  await new Promise((resolve) => redis.on("close", resolve));
}
