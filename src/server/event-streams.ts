import type { Context } from "hono";
import { QueueError } from "../core/errors.ts";

/** A message of server-sent events. */
export interface StreamMessage {
  /** Its name, empty where it has none. */
  readonly event: string;
  readonly data: string;
}

/** Gets what sends a message, and returns what ends the subscription. */
type Subscribe = (send: (message: StreamMessage) => void) => () => void;

export interface EventStreamsOptions {
  /** Streams that are open at the same time at most. */
  readonly max?: number;
  /** How often a stream with nothing to tell shows that it lives. */
  readonly heartbeatMs?: number;
  /** What is kept for a client that does not read; then its stream ends. */
  readonly maxUnreadBytes?: number;
}

const HEADERS = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
const RETRY_MS = 3_000;

/** Streams of server-sent events. A client that is slow, or gone, costs nothing for long. */
export class EventStreams {
  readonly #max: number;
  readonly #heartbeatMs: number;
  readonly #maxUnreadBytes: number;
  #open = 0;

  constructor({ max = 50, heartbeatMs = 15_000, maxUnreadBytes = 1_048_576 }: EventStreamsOptions = {}) {
    this.#max = max;
    this.#heartbeatMs = heartbeatMs;
    this.#maxUnreadBytes = maxUnreadBytes;
  }

  /** How many are open. */
  get open(): number {
    return this.#open;
  }

  /** An answer that goes on for as long as the client stays and reads. @throws {QueueError} EVENTS_LIMITED */
  answer(context: Context, subscribe: Subscribe): Response {
    // Nobody would read its body, nor end it.
    if (context.req.method === "HEAD") return context.body(null, 200, HEADERS);
    if (this.#open >= this.#max)
      throw new QueueError(`${this.#max} clients watch already`, {
        code: "EVENTS_LIMITED",
        hint: "close a page that watches, or ask again later",
      });
    return context.body(this.#stream(subscribe), 200, HEADERS);
  }

  #stream(subscribe: Subscribe): ReadableStream<Uint8Array> {
    const encoder = new TextEncoder();
    const end = new AbortController();
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          const write = (text: string) => {
            if (end.signal.aborted) return;
            controller.enqueue(encoder.encode(text));
            if ((controller.desiredSize ?? 0) > 0) return;
            end.abort();
            controller.close();
          };
          write(`retry: ${RETRY_MS}\n\n`);
          this.#open += 1;
          end.signal.addEventListener("abort", () => (this.#open -= 1));
          const heartbeat = setInterval(() => write(":\n\n"), this.#heartbeatMs).unref();
          end.signal.addEventListener("abort", () => clearInterval(heartbeat));
          const unsubscribe = subscribe((message) => write(asText(message)));
          if (end.signal.aborted) unsubscribe();
          else end.signal.addEventListener("abort", unsubscribe);
        },
        cancel: () => end.abort(),
      },
      { highWaterMark: this.#maxUnreadBytes, size: (chunk) => chunk?.length ?? 0 },
    );
  }
}

function asText({ event, data }: StreamMessage): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${event === "" ? "" : `event: ${event}\n`}${lines.join("")}\n`;
}
