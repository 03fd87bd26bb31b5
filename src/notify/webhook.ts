import { createHmac } from "node:crypto";
import { Agent } from "undici";
import type { Delivery } from "../queue/notifications.ts";
import { within } from "./deadline.ts";
import type { Notification } from "./notification.ts";
import type { Target } from "./target.ts";

const TIMEOUT_MS = 10_000;
/** Refusals that may be over the next time. */
const PASSING = [408, 429];

export interface WebhookOptions {
  readonly url: string;
  /** What the receiver knows too. */
  readonly secret: string;
  readonly now: () => number;
  readonly timeoutMs?: number | undefined;
}

/** Posts notifications to a URL, signed. A redirect is not followed. */
export class Webhook implements Target {
  /** The rest of the URL may be a secret. */
  readonly where: string;
  readonly #options: WebhookOptions;
  readonly #agent = new Agent({ pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.where = new URL(options.url).origin;
  }

  async deliver(notification: Notification, signal: AbortSignal): Promise<Delivery> {
    const { timeoutMs = TIMEOUT_MS } = this.#options;
    try {
      return toDelivery(await within(timeoutMs, signal, async (own) => await this.#post(notification, own)));
    } catch (error) {
      return { kind: "again", why: whatFailed(error) };
    }
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** Returns the status; nobody reads the rest. */
  async #post(notification: Notification, signal: AbortSignal): Promise<number> {
    const { origin, pathname, search } = new URL(this.#options.url);
    const text = JSON.stringify(notification);
    const { statusCode, body } = await this.#agent.request({
      method: "POST",
      origin,
      path: `${pathname}${search}`,
      headers: this.#headers(notification, text),
      body: text,
      signal,
    });
    // Whoever leaves early gets an error besides.
    body.on("error", () => {});
    body.destroy();
    return statusCode;
  }

  #headers({ event, delivery }: Notification, text: string): Record<string, string> {
    const timestamp = String(Math.floor(this.#options.now() / 1_000));
    const signature = createHmac("sha256", this.#options.secret).update(`${timestamp}.${text}`).digest("hex");
    return {
      "content-type": "application/json",
      "user-agent": "ccl-queue",
      "x-ccl-queue-event": event,
      "x-ccl-queue-delivery": delivery,
      "x-ccl-queue-timestamp": timestamp,
      "x-ccl-queue-signature": `sha256=${signature}`,
    };
  }
}

function toDelivery(status: number): Delivery {
  if (status >= 200 && status < 300) return { kind: "delivered" };
  const isFinal = status >= 400 && status < 500 && !PASSING.includes(status);
  return { kind: isFinal ? "refused" : "again", why: `it answered ${status}` };
}

/** Of several addresses that failed, the error has a code and no message. */
function whatFailed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message !== "" || !("code" in error) ? error.message : String(error.code);
}
