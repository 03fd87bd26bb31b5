import { BlockList, isIP } from "node:net";
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import { Attempts } from "./attempts.ts";
import { LOGIN_COOKIE, LoginCookie } from "./login-cookie.ts";
import { problem } from "./problem.ts";
import { isChange, isLink, wantsPage } from "./request.ts";
import { isSame } from "./same.ts";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");
/** A Host header: a name or an address, and maybe a port. A URL's parser would find one in other things, too. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?::\d+)?$/i;

/** Where one shows the token. */
const LOGIN = "/login";

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
  /** Those who showed wrong tokens, here and at the login. */
  readonly attempts?: Attempts;
}

/** Lets in whoever may come: the right token or a login, no page of another origin, and no name that was bent to our address. */
export function guard({
  host,
  token,
  attempts = new Attempts({ onLimited: () => {} }),
}: GuardOptions): MiddlewareHandler {
  const authorise = token === null ? null : authoriser(token, attempts);
  return async (context, next) => {
    const name = hostOf(context.req.header("host") ?? "");
    const isOurs = name !== null && (isLoopback(name) || name === host);
    if (token === null && !isOurs) return problem(context, 403, "HOST_REFUSED", "this is not the name of this server");
    if (isForeign(context)) return refuseOrigin(context);
    const refused = context.req.path === LOGIN ? null : (authorise?.(context) ?? null);
    return refused ?? (await next());
  };
}

/** Answers a request that shows neither the token nor a login; null for one that does. */
function authoriser(token: string, attempts: Attempts): (context: Context) => Response | null {
  const cookie = new LoginCookie(token);
  return (context) => {
    const shown = context.req.header("authorization");
    if (shown !== undefined) return checkToken(context, shown);
    if (cookie.isValid(getCookie(context, LOGIN_COOKIE), Date.now()))
      return isChange(context) && !isFromOurPage(context) ? refuseOrigin(context) : null;
    return wantsPage(context) ? toLogin(context) : refuseToken(context);
  };

  function checkToken(context: Context, shown: string): Response | null {
    if (attempts.isLimited(context)) return tooMany(context);
    if (isSame(shown, `Bearer ${token}`)) return null;
    attempts.failed(context, shown);
    return refuseToken(context);
  }
}

function refuseToken(context: Context): Response {
  return problem(context, 401, "TOKEN_REFUSED", "send the token: Authorization: Bearer …");
}

/** The answer to those who have shown too many wrong tokens. */
function tooMany(context: Context): Response {
  context.header("retry-after", "60");
  return problem(context, 429, "LOGIN_LIMITED", "too many wrong tokens came from this address: wait a minute");
}

function refuseOrigin(context: Context): Response {
  return problem(context, 403, "ORIGIN_REFUSED", "pages of other servers are not answered");
}

function toLogin(context: Context): Response {
  const { pathname, search } = new URL(context.req.url);
  return context.redirect(`${LOGIN}?next=${encodeURIComponent(pathname + search)}`, 303);
}

/** Whether a browser says that a page of another server asks. A link to one of our pages may stand anywhere. */
function isForeign(context: Context): boolean {
  const origin = context.req.header("origin");
  if (origin !== undefined && !isOurOrigin(context, origin)) return true;
  const site = context.req.header("sec-fetch-site") ?? "none";
  return site !== "none" && site !== "same-origin" && !isLink(context);
}

/** Whether a browser says that it is one of our own pages that asks. */
function isFromOurPage(context: Context): boolean {
  return context.req.header("origin") !== undefined || context.req.header("sec-fetch-site") === "same-origin";
}

function isOurOrigin(context: Context, origin: string): boolean {
  return new URL(context.req.url).host === hostWithPort(origin);
}

/** The name or the address in a Host header, null where it holds neither. */
function hostOf(header: string): string | null {
  const url = `http://${header}`;
  return HOST.test(header) && URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, "") : null;
}

function hostWithPort(url: string): string | null {
  return URL.canParse(url) ? new URL(url).host : null;
}
