import { z } from "zod";
import type { Config } from "../../config/config.ts";
import { QueueError } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { HttpServer } from "../../server/http-server.ts";
import { type Finding, ok, problem } from "./check.ts";

const TIMEOUT_MS = 2_000;
const ANY_ADDRESS: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
/** What a ccl-queue says of itself to everyone, also while it starts. */
const ours = z.union([z.object({ name: z.literal("ccl-queue") }), z.object({ code: z.literal("DAEMON_STARTING") })]);

/** Whether the daemon's server can listen where it should, or does. */
export async function lookAtPort({ server: { host, port, token } }: Config): Promise<Finding[]> {
  const about = `${host}, ${port === 0 ? "any port" : `port ${port}`}`;
  const server = new HttpServer({ host, port, token, listener: (_request, response) => response.end() });
  try {
    await server.start();
    return [ok(`${about}: free`)];
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    if (error.code === "SERVER_FAILED" && (await isOurs(host, port))) return [ok(`${about}: a ccl-queue answers`)];
    return [problem(error.message, error.hint ?? "set server.host and server.port to others")];
  } finally {
    await server.stop();
  }
}

/** Whether what listens there is a ccl-queue: everyone may ask that. */
async function isOurs(host: string, port: number): Promise<boolean> {
  const address = ANY_ADDRESS[host] ?? host;
  const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}/healthz`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return ours.safeParse(parseJson(await answer.text())).success;
  } catch {
    return false;
  }
}
