import { type ErrorCode, QueueError } from "../../core/errors.ts";

/** What went wrong, for people. */
export interface Trouble {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint: string | null;
}

/** What nobody foresaw stays in the log. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof QueueError) return { code: error.code, text: error.message, hint: error.hint };
  return { code: "INTERNAL_ERROR", text: "something went wrong; the log says what", hint: null };
}

export function TroubleNote({ trouble }: { trouble: Trouble }) {
  return (
    <div class="flash error">
      <i class="i alert"></i>
      <span>
        <code>{trouble.code}</code> <bdi>{trouble.text}</bdi>
        {trouble.hint !== null && (
          <>
            {" "}
            <bdi class="hint">{trouble.hint}</bdi>
          </>
        )}
      </span>
    </div>
  );
}

/** The place for it on a page that changes by itself: what stands below is then as old as the last answer. */
export function TroubleBar({ trouble }: { trouble: Trouble | null }) {
  return (
    <div id="trouble" role="status">
      {trouble !== null && <TroubleNote trouble={trouble} />}
    </div>
  );
}
