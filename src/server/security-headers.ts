import type { MiddlewareHandler } from "hono";

const POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/** Bull Board brings styles in its HTML, and pictures in its styles. */
const BOARD_POLICY = `${POLICY.replace("base-uri 'none'", "base-uri 'self'")}; style-src 'self' 'unsafe-inline'; img-src 'self' data:`;
const BOARD = /^\/queues(?:\/|$)/;

const HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Not no-referrer: with that, browsers send `Origin: null` with the forms of our own pages.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** Tells browsers to run, keep and show to others as little as possible. A page that needs something else says so itself. */
export const securityHeaders: MiddlewareHandler = async (context, next) => {
  await next();
  const policy = BOARD.test(context.req.path) ? BOARD_POLICY : POLICY;
  for (const [name, value] of Object.entries({ "content-security-policy": policy, ...HEADERS }))
    if (!context.res.headers.has(name)) context.header(name, value);
};
