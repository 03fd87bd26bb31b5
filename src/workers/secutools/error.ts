import { type ErrorCode, QueueError } from "../../core/errors.ts";

/** What the platform said instead of what was asked for, or that it said nothing. */
export class SecutoolsError extends QueueError {
  /** null where no answer came. */
  readonly status: number | null;
  /** How long the platform asks to be left alone; 0 where it does not. */
  readonly afterMs: number;

  constructor(
    message: string,
    { status, afterMs, ...options }: { code: ErrorCode; hint?: string; status: number | null; afterMs: number },
  ) {
    super(message, options);
    this.status = status;
    this.afterMs = afterMs;
  }
}
