import type { z } from "zod";
import { QueueError } from "../../core/errors.ts";
import type { Provider } from "../../core/route.ts";
import type { Priority } from "../../core/task.ts";
import { abortable } from "./abort.ts";
import { isIdempotencyKey, isJobId } from "./ids.ts";
import { jsonOf, outcomeOf, type Question } from "./outcome.ts";
import { type Outcome, polled, type RetryPolicy, retried } from "./retry.ts";
import { type Request, Transport } from "./transport.ts";
import { acceptedJob, isOver, remoteJob } from "./wire.ts";

export interface SecutoolsOptions {
  /** The platform's address; a path in it is kept. */
  readonly url: string;
  readonly apiKey: string;
  /** Requests in flight at most. */
  readonly concurrency: number;
  /** For the connection and the headers together, and again for the body: 30 s unless said. */
  readonly timeoutMs?: number;
  readonly retry?: RetryPolicy;
}

/** What is handed in: one task for one provider. */
export interface Submission {
  readonly provider: Provider;
  readonly priority: Priority;
  readonly title: string;
  readonly prompt: string;
  readonly tags: readonly string[];
  /** Whose task it is, for people who look at the platform. */
  readonly metadata: { readonly project: string; readonly task: string };
}

/** A job that the platform has taken. */
export type AcceptedJob = Readonly<z.infer<typeof acceptedJob>>;

/** A job as the platform tells of it. What it leaves out is null. */
export type RemoteJob = Readonly<z.infer<typeof remoteJob>>;

export interface WaitOptions {
  /** Between two questions. */
  readonly pollMs: number;
  /** For the whole wait. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

const readAcceptedJob = jsonOf(acceptedJob);
const readRemoteJob = jsonOf(remoteJob);
const TIMEOUT_MS = 30_000;
const RETRY: RetryPolicy = { attempts: 6, baseMs: 500, maxMs: 30_000 };

/**
 * A client of the secutools platform. Its methods reject with SECUTOOLS_UNREACHABLE, SECUTOOLS_REFUSED or
 * SECUTOOLS_BAD_ANSWER; when their signal aborts, at once with its reason; after `close`, with an AbortError.
 * The platform's key stands in none of these.
 */
export class Secutools {
  readonly #transport: Transport;
  readonly #retry: RetryPolicy;
  readonly #closing = new AbortController();

  /** @throws {QueueError} SECUTOOLS_NOT_CONFIGURED when the URL or the key cannot be one */
  constructor({ url, apiKey, concurrency, timeoutMs = TIMEOUT_MS, retry = RETRY }: SecutoolsOptions) {
    this.#transport = new Transport({ url, apiKey, concurrency, timeoutMs });
    this.#retry = retry;
  }

  /** Hands in a job. The same key again is the same job, so what went wrong on the way is tried again. */
  async submitJob(submission: Submission, idempotencyKey: string, signal?: AbortSignal): Promise<AcceptedJob> {
    if (!isIdempotencyKey(idempotencyKey)) throw new TypeError("an idempotency key is 1 to 255 visible characters");
    const question = { what: "take the job", read: readAcceptedJob };
    const request: Request = {
      method: "POST",
      path: "",
      headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
      body: JSON.stringify(submission),
    };
    return await this.#call(signal, (own) =>
      retried(this.#retry, own, async () => {
        const outcome = await this.#ask(request, question, own);
        return outcome.kind === "garbled" ? { ...outcome, kind: "again" } : outcome;
      }),
    );
  }

  /** A job as it stands; null when the platform has lost it. One try: whoever polls asks again. */
  async getJob(id: string, signal?: AbortSignal): Promise<RemoteJob | null> {
    const once = { ...this.#retry, attempts: 1 };
    return await this.#call(signal, (own) => retried(once, own, () => this.#look(id, own)));
  }

  /**
   * Asks about a job until it is over, or until the time is: then it is returned as it stands, or nobody waits for an
   * answer any more. Null when the platform has lost it. Gives up after `attempts` tries in a row without an answer.
   */
  async waitForResult(id: string, { pollMs, timeoutMs, signal }: WaitOptions): Promise<RemoteJob | null> {
    const times = { policy: this.#retry, pollMs, timeoutMs };
    const willDo = (job: RemoteJob | null) => job === null || isOver(job.status);
    return await this.#call(signal, (own) => polled(times, own, (withinMs) => this.#look(id, own, withinMs), willDo));
  }

  /** Cancels a job; false when the platform does not know it. */
  async cancelJob(id: string, signal?: AbortSignal): Promise<boolean> {
    const question: Question<boolean> = {
      what: `cancel the job ${id}`,
      read: () => ({ ok: true, value: true }),
      missing: { value: false },
    };
    const request: Request = { method: "DELETE", path: pathOf(id) };
    return await this.#call(signal, (own) => retried(this.#retry, own, () => this.#ask(request, question, own)));
  }

  /** Ends everything that is under way, and the connections. */
  async close(): Promise<void> {
    this.#closing.abort(new DOMException("the secutools client was closed", "AbortError"));
    await this.#transport.close();
  }

  async #look(id: string, signal: AbortSignal, withinMs?: number): Promise<Outcome<RemoteJob | null>> {
    const question: Question<RemoteJob | null> = {
      what: `tell how the job ${id} stands`,
      read: (text) => {
        const reading = readRemoteJob(text);
        return reading.ok && reading.value.id !== id ? { ok: false, problem: "it is another job's" } : reading;
      },
      missing: { value: null },
    };
    return await this.#ask({ method: "GET", path: pathOf(id), withinMs }, question, signal);
  }

  async #ask<T>(request: Request, question: Question<T>, signal: AbortSignal): Promise<Outcome<T>> {
    return outcomeOf(await this.#transport.send(request, signal), question);
  }

  async #call<T>(signal: AbortSignal | undefined, work: (own: AbortSignal) => Promise<T>): Promise<T> {
    return await abortable(signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal], work);
  }
}

/** @throws {QueueError} SECUTOOLS_BAD_ANSWER: an id comes from the platform, and this one would lead elsewhere */
function pathOf(id: string): string {
  if (isJobId(id)) return `/${encodeURIComponent(id)}`;
  throw new QueueError("this is not an id of a job on secutools", { code: "SECUTOOLS_BAD_ANSWER" });
}
