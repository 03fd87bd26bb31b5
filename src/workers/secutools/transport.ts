import type { Readable } from "node:stream";
import pLimit, { type LimitFunction } from "p-limit";
import { type Dispatcher, Pool } from "undici";
import { QueueError } from "../../core/errors.ts";
import { abortable } from "./abort.ts";
import { hiding } from "./hide.ts";
import { retryAfterMs } from "./retry.ts";

export interface TransportOptions {
  readonly url: string;
  readonly apiKey: string;
  /** Requests in flight at most. */
  readonly concurrency: number;
  /** For the connection and the headers together, and again for the body. */
  readonly timeoutMs: number;
}

export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the collection of jobs, with its slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For the answer as a whole, where that is less than usual. */
  readonly withinMs?: number | undefined;
}

/** What came back. */
export type Answer =
  /** `text` is without our key, and null where it is too large, or where a refusal's broke off. */
  | { readonly kind: "answered"; readonly status: number; readonly text: string | null; readonly retryAfterMs: number }
  | { readonly kind: "unreachable"; readonly what: string };

const JOBS = "/api/v1/jobs";
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** Nobody reads more of a refusal. */
const MAX_REFUSAL_BYTES = 64 * 1024;
/** What a header may hold, and what a bearer's key is made of. */
const KEY = /^[\x21-\x7e]+$/;

/** Sends single requests to the platform: with its key, never too many at once, and never for longer than allowed. */
export class Transport {
  readonly #pool: Pool;
  readonly #limit: LimitFunction;
  readonly #jobs: string;
  readonly #authorization: string;
  readonly #timeoutMs: number;
  /** The platform may well repeat the key, and what it says goes into logs, jobs and files. */
  readonly #hide: (text: string) => string;

  /** @throws {QueueError} SECUTOOLS_NOT_CONFIGURED when the URL or the key cannot be one */
  constructor({ url, apiKey, concurrency, timeoutMs }: TransportOptions) {
    const { origin, pathname } = parseUrl(url);
    if (!KEY.test(apiKey)) throw unusable("SECUTOOLS_API_KEY is empty or has a character that no header can hold");
    this.#pool = new Pool(origin, {
      connections: concurrency,
      pipelining: 1,
      connect: { timeout: timeoutMs },
      // The deadlines below bound the whole, these only the pauses.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#limit = pLimit(concurrency);
    this.#jobs = `${pathname.replace(/\/+$/, "")}${JOBS}`;
    this.#authorization = `Bearer ${apiKey}`;
    this.#timeoutMs = timeoutMs;
    this.#hide = hiding(apiKey);
  }

  /** Rejects with the signal's reason, and for nothing else. */
  async send(request: Request, signal: AbortSignal): Promise<Answer> {
    return await this.#limit(async () => await this.#exchange(request, signal));
  }

  /** Cuts every connection. */
  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #exchange(request: Request, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    try {
      return await this.#request(request, signal);
    } catch (error) {
      signal.throwIfAborted();
      return { kind: "unreachable", what: whatFailed(error) };
    }
  }

  async #request({ method, path, headers, body, withinMs }: Request, signal: AbortSignal): Promise<Answer> {
    return await abortable([signal], async (own, abort) => {
      const giveUpAfter = (ms: number) => setTimeout(() => abort(noAnswerWithin(ms)), ms);
      const late = giveUpAfter(this.#timeoutMs);
      const tooLate = giveUpAfter(Math.min(withinMs ?? Number.POSITIVE_INFINITY, 2 * this.#timeoutMs));
      try {
        const response = await this.#pool.request({
          method,
          path: `${this.#jobs}${path}`,
          headers: { ...headers, accept: "application/json", authorization: this.#authorization },
          body: body ?? null,
          signal: own,
        });
        clearTimeout(late);
        return await toAnswer(response, this.#timeoutMs, this.#hide);
      } finally {
        clearTimeout(late);
        clearTimeout(tooLate);
      }
    });
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["http:", "https:"].includes(url.protocol))
    throw unusable("SECUTOOLS_URL or secutools.url is no http(s) URL");
  return url;
}

function unusable(message: string): QueueError {
  return new QueueError(message, {
    code: "SECUTOOLS_NOT_CONFIGURED",
    hint: "docs/configuration.md tells what it takes",
  });
}

async function toAnswer(
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
  timeoutMs: number,
  hide: (text: string) => string,
): Promise<Answer> {
  const declaredBytes = Number(headers["content-length"] ?? 0);
  const late = setTimeout(() => body.destroy(noAnswerWithin(timeoutMs)), timeoutMs);
  try {
    const text =
      status >= 200 && status < 300
        ? await readText(body, declaredBytes, MAX_ANSWER_BYTES)
        : // Its status says enough.
          await readText(body, declaredBytes, MAX_REFUSAL_BYTES).catch(() => null);
    const afterMs = retryAfterMs(String(headers["retry-after"] ?? ""), Date.now());
    return { kind: "answered", status, text: text === null ? null : hide(text), retryAfterMs: afterMs };
  } finally {
    clearTimeout(late);
  }
}

function noAnswerWithin(timeoutMs: number): Error {
  return new Error(`no answer within ${timeoutMs} ms`);
}

/** A body as text. One that is too large is never held: null, and its connection ends. */
async function readText(body: Readable, declaredBytes: number, maxBytes: number): Promise<string | null> {
  // Whoever leaves early gets an error besides.
  body.on("error", () => {});
  if (declaredBytes > maxBytes) {
    body.destroy();
    return null;
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const part: Uint8Array = chunk;
    bytes += part.length;
    if (bytes > maxBytes) return null;
    chunks.push(part);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Of several addresses that failed, the error has a code and no message. */
function whatFailed(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message !== "" || !("code" in error) ? error.message : String(error.code);
}
