import { createHash, timingSafeEqual } from "node:crypto";
import { BlockList, isIP } from "node:net";
import type { MiddlewareHandler } from "hono";
import { problem } from "./problem.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
/** A Host header: a name or an address, and maybe a port. A URL's parser would find one in other things, too. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d+)?$/i;

/** Whether an address or a name stands for this machine alone. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host === "localhost";
  return LOOPBACK.check(host, version === 4 ? "ipv4" : "ipv6");
}

export interface GuardOptions {
  /** The address that is listened on. */
  readonly host: string;
  /** What every client has to show, null where the address is protection enough. */
  readonly token: string | null;
}

/** Lets in whoever may come: the right token, no page of another origin, and no name that was bent to our address. */
export function guard({ host, token }: GuardOptions): MiddlewareHandler {
  return async (context, next) => {
    const name = hostOf(context.req.header("host") ?? "");
    const isOurs = name !== null && (isLoopback(name) || name === host);
    if (token === null && !isOurs) return problem(context, 403, "HOST_REFUSED", "this is not the name of this server");
    const origin = context.req.header("origin");
    if (origin !== undefined && new URL(context.req.url).host !== hostWithPort(origin))
      return problem(context, 403, "ORIGIN_REFUSED", "pages of other servers are not answered");
    if (token !== null && !isToken(context.req.header("authorization"), token))
      return problem(context, 401, "TOKEN_REFUSED", "send the token: Authorization: Bearer …");
    return await next();
  };
}

/** The name or the address in a Host header, null where it holds neither. */
function hostOf(header: string): string | null {
  const url = `http://${header}`;
  return HOST.test(header) && URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : null;
}

function hostWithPort(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}

/** Compared by hashes of equal length, in constant time. */
function isToken(header: string | undefined, token: string): boolean {
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
