import { createHash } from "node:crypto";
import type { Context } from "hono";
import { z } from "zod";
import { QueueError } from "../core/errors.ts";

/** Different wrong tokens that one address may show within the time. */
const LIMIT = 10;
const WINDOW_MS = 60_000;
/** Addresses that are remembered at most, so that nobody can fill the memory with them. */
const MAX_ADDRESSES = 1_000;

const fromNode = z.object({ incoming: z.object({ socket: z.object({ remoteAddress: z.string() }) }) });

export interface AttemptsOptions {
  /** Told once, with LOGIN_LIMITED, when an address has tried too often. */
  readonly onLimited: (error: QueueError) => void;
  readonly now?: () => number;
}

/**
 * The wrong tokens of the last minute, by address. Whoever has shown too many different ones is not listened to for a
 * while. A program that shows the same outdated token again and again has shown one.
 */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #now: () => number;
  readonly #byAddress = new Map<string, Map<string, number>>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Whether what this client shows is not even looked at now. */
  isLimited(context: Context): boolean {
    return this.#recent(addressOf(context)).size >= LIMIT;
  }

  /** Notes a wrong token. */
  failed(context: Context, token: string): void {
    const address = addressOf(context);
    const recent = this.#recent(address);
    const before = recent.size;
    const digest = createHash("sha256").update(token).digest("base64");
    if (!recent.has(digest)) recent.set(digest, this.#now());
    this.#byAddress.delete(address);
    this.#byAddress.set(address, recent);
    for (const oldest of this.#byAddress.keys()) {
      if (this.#byAddress.size <= MAX_ADDRESSES) break;
      this.#byAddress.delete(oldest);
    }
    if (before < LIMIT && recent.size >= LIMIT)
      this.#options.onLimited(
        new QueueError(`${address} showed ${LIMIT} different wrong tokens within a minute`, { code: "LOGIN_LIMITED" }),
      );
  }

  #recent(address: string): Map<string, number> {
    const sinceMs = this.#now() - WINDOW_MS;
    return new Map([...(this.#byAddress.get(address) ?? [])].filter(([, atMs]) => atMs > sinceMs));
  }
}

/** Who is at the other end of the connection; behind a proxy, that is the proxy. */
function addressOf(context: Context): string {
  const read = fromNode.safeParse(context.env);
  return read.success ? read.data.incoming.socket.remoteAddress : "somebody";
}
