import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";

const COOKIE = "ccl_queue_flash";
const MAX_AGE_SECONDS = 20;
const MAX_LENGTH = 500;

const flash = z.object({
  kind: z.enum(["done", "error"]),
  text: z.string().max(MAX_LENGTH),
  /** The task that it is about, for a link. */
  task: z.string().max(MAX_LENGTH).nullable(),
});
/** What the next page tells of what was just done. */
export type Flash = Readonly<z.infer<typeof flash>>;

/** Tells it on the next page. A cookie, as a link could put words of a stranger into our mouth. */
export function setFlash(context: Context, kind: Flash["kind"], text: string, task: string | null = null): void {
  const told: Flash = { kind, text: text.slice(0, MAX_LENGTH), task };
  const value = Buffer.from(JSON.stringify(told)).toString("base64url");
  setCookie(context, COOKIE, value, { path: "/", httpOnly: true, sameSite: "Strict", maxAge: MAX_AGE_SECONDS });
}

/** What is to be told, once. */
export function takeFlash(context: Context): Flash | null {
  const value = getCookie(context, COOKIE);
  if (value === undefined) return null;
  deleteCookie(context, COOKIE, { path: "/" });
  try {
    return flash.parse(JSON.parse(Buffer.from(value, "base64url").toString()));
  } catch {
    return null;
  }
}
