import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** In how many pieces a slow answer arrives. */
const PIECES = 20;
const CHUNK = Buffer.alloc(64 * 1024, "x");

/**
 * A job whose result is that long, made while it is read.
 * @param {import("./wire.js").WireJob} job
 * @param {number} bytes whole MiB
 */
export function hugeBody(job, bytes) {
  let left = bytes;
  const gap = randomUUID();
  const [before = "", after = ""] = JSON.stringify({ ...job, result: gap }).split(gap);
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from(before));
    },
    pull(controller) {
      controller.enqueue(CHUNK);
      left -= CHUNK.length;
      if (left > 0) return;
      controller.enqueue(Buffer.from(after));
      controller.close();
    },
  });
}

/**
 * A text that arrives in pieces.
 * @param {string} text
 * @param {number} overMs
 */
export function slowBody(text, overMs) {
  const bytes = Buffer.from(text);
  const size = Math.ceil(bytes.length / PIECES);
  const gone = new AbortController();
  let sent = 0;
  return new ReadableStream({
    async pull(controller) {
      await sleep(overMs / PIECES, undefined, { signal: gone.signal });
      controller.enqueue(bytes.subarray(sent, sent + size));
      sent += size;
      if (sent >= bytes.length) controller.close();
    },
    cancel() {
      gone.abort();
    },
  });
}
