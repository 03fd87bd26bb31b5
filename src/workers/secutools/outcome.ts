import type { z } from "zod";
import type { ErrorCode } from "../../core/errors.ts";
import { parseJson } from "../../core/json.ts";
import { oneLine } from "../../core/one-line.ts";
import { SecutoolsError } from "./error.ts";
import type { Outcome } from "./retry.ts";
import type { Answer } from "./transport.ts";
import { remoteError } from "./wire.ts";

/** What the platform was asked for, and how its answer is read. */
export interface Question<T> {
  /** As in "secutools did not …". */
  readonly what: string;
  /** What the text of a success says, or what is wrong with it; null is one that is too large. */
  readonly read: (text: string | null) => Reading<T>;
  /** What it means that the platform knows no such job; without it, that is a refusal. */
  readonly missing?: { readonly value: T };
}

type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const HINTS: Readonly<Record<number, string>> = {
  401: "check SECUTOOLS_API_KEY",
  403: "check SECUTOOLS_API_KEY",
  404: "check SECUTOOLS_URL or secutools.url",
};

/** What an answer comes to. */
export function outcomeOf<T>(answer: Answer, question: Question<T>): Outcome<T> {
  const failure = failing(answer, question.what);
  if (answer.kind === "unreachable") return { kind: "again", error: failure("SECUTOOLS_UNREACHABLE", answer.what) };
  const { status, text } = answer;
  const says = `${status}${complaint(text)}`;
  switch (kindOf(status)) {
    case "success": {
      const reading = question.read(text);
      if (reading.ok) return { kind: "value", value: reading.value };
      return { kind: "garbled", error: failure("SECUTOOLS_BAD_ANSWER", `its answer is bad: ${reading.problem}`) };
    }
    case "again":
      return { kind: "again", error: failure("SECUTOOLS_UNREACHABLE", says) };
    case "refused":
      if (status === 404 && question.missing !== undefined) return { kind: "value", value: question.missing.value };
      return { kind: "failed", error: failure("SECUTOOLS_REFUSED", says, HINTS[status]) };
    case "strange":
      return { kind: "failed", error: failure("SECUTOOLS_BAD_ANSWER", `its answer is bad: status ${says}`) };
  }
}

/** Makes the error that an answer comes to. */
function failing(answer: Answer, what: string) {
  const { status, retryAfterMs: afterMs } = answer.kind === "answered" ? answer : { status: null, retryAfterMs: 0 };
  return (code: ErrorCode, why: string, hint?: string) =>
    new SecutoolsError(oneLine(`secutools did not ${what}: ${why}`), {
      ...{ code, status, afterMs },
      ...(hint === undefined ? {} : { hint }),
    });
}

/** Reads JSON of this shape. */
export function jsonOf<T>(schema: z.ZodType<T>): (text: string | null) => Reading<T> {
  return (text) => {
    if (text === null) return { ok: false, problem: "it is too large" };
    const value = parseJson(text);
    if (value === null) return { ok: false, problem: "it is not JSON" };
    const parsed = schema.safeParse(value);
    if (parsed.success) return { ok: true, value: parsed.data };
    const [issue] = parsed.error.issues;
    return { ok: false, problem: `${issue?.path.join(".") || "it"}: ${issue?.message}` };
  };
}

/** A redirect is strange: nobody follows it with our key. */
function kindOf(status: number): "success" | "again" | "refused" | "strange" {
  if (status >= 200 && status < 300) return "success";
  if (status === 408 || status === 429 || (status >= 500 && status < 600)) return "again";
  return status >= 400 && status < 500 ? "refused" : "strange";
}

/** What the platform itself says of its refusal, if anything. */
function complaint(text: string | null): string {
  const parsed = remoteError.safeParse(parseJson(text ?? ""));
  if (!parsed.success) return "";
  const { code, message } = parsed.data.error;
  return [code, message]
    .filter((part) => part !== "")
    .map((part, index) => `${index === 0 ? " " : ": "}${part}`)
    .join("");
}
