import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Attempts } from "./attempts.ts";
import { LOGIN_COOKIE, LOGIN_MS, LoginCookie } from "./login-cookie.ts";
import { showLogin } from "./login-page.ts";
import { isSame } from "./same.ts";

export interface LoginOptions {
  /** What people have to show; null where nobody has to. */
  readonly token: string | null;
  /** Those who showed wrong tokens, here and to the guard. */
  readonly attempts: Attempts;
}

/** Where people show the token, and get a cookie for it. */
export function createLogin({ token, attempts }: LoginOptions): Hono {
  const cookie = token === null ? null : new LoginCookie(token);
  const isIn = (context: Context) => cookie?.isValid(getCookie(context, LOGIN_COOKIE), Date.now()) ?? true;
  const login = new Hono();
  login.get("/login", async (context) => {
    const next = localPath(context.req.query("next"));
    if (isIn(context)) return context.redirect(next, 303);
    // A page elsewhere linked here, so the browser kept the cookie to itself: it is we who ask again.
    const isFromElsewhere = context.req.header("sec-fetch-site") === "cross-site";
    const isAskedAgain = isFromElsewhere && context.req.query("again") === undefined;
    return await showLogin(context, { next, wrong: null, isAskedAgain });
  });
  login.post("/login", async (context) => {
    const { token: shown, next: wanted } = await context.req.parseBody();
    const next = localPath(wanted);
    if (cookie === null || token === null) return context.redirect(next, 303);
    if (attempts.isLimited(context)) return await showLogin(context, { next, wrong: "limited", isAskedAgain: false });
    if (typeof shown !== "string" || !isSame(shown, token)) {
      attempts.failed(context, String(shown));
      return await showLogin(context, { next, wrong: "token", isAskedAgain: false });
    }
    setCookie(context, LOGIN_COOKIE, cookie.issue(Date.now()), { ...flags(context), maxAge: LOGIN_MS / 1_000 });
    return context.redirect(next, 303);
  });
  login.post("/logout", (context) => {
    deleteCookie(context, LOGIN_COOKIE, flags(context));
    return context.redirect("/login", 303);
  });
  return login;
}

/** Only pages of this very server send the cookie, and no script reads it. */
function flags(context: Context) {
  const isSecure = context.req.header("x-forwarded-proto") === "https" || context.req.url.startsWith("https:");
  return { path: "/", httpOnly: true, sameSite: "Strict", secure: isSecure } as const;
}

/** Where to go on: a path of this server, whatever the link says. */
function localPath(next: unknown): string {
  const base = "http://this.server.invalid";
  if (typeof next !== "string" || !next.startsWith("/") || !URL.canParse(next, base)) return "/";
  const { origin, pathname, search } = new URL(next, base);
  return origin !== base || pathname.startsWith("//") ? "/" : pathname + search;
}
