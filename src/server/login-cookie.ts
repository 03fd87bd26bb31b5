import { createHmac, hkdfSync } from "node:crypto";
import { isSame } from "./same.ts";

/** The cookie's name. */
export const LOGIN_COOKIE = "ccl_queue";
/** For how long a login holds. */
export const LOGIN_MS = 30 * 24 * 60 * 60_000;

/** What proves a login: when it ends, and a signature by a key that is made of the token. It outlives restarts. */
export class LoginCookie {
  readonly #key: Buffer;

  constructor(token: string) {
    this.#key = Buffer.from(hkdfSync("sha256", token, "", "ccl-queue login cookie", 32));
  }

  /** A new one's value. */
  issue(nowMs: number): string {
    const endsAtMs = String(nowMs + LOGIN_MS);
    return `${endsAtMs}.${this.#sign(endsAtMs)}`;
  }

  isValid(value: string | undefined, nowMs: number): boolean {
    const [endsAtMs = "", signature = "", ...more] = (value ?? "").split(".");
    return isSame(signature, this.#sign(endsAtMs)) && more.length === 0 && Number(endsAtMs) > nowMs;
  }

  #sign(text: string): string {
    return createHmac("sha256", this.#key).update(text).digest("base64url");
  }
}
