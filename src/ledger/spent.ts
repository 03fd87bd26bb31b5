import type { Spent } from "../core/events.ts";
import type { Footer } from "./footer.ts";

/** What a run took, by its footer. */
export function spentOf({ durationMs = 0, model, tokens, costUsd }: Footer): Spent {
  return { durationMs: Math.round(durationMs), model: model ?? null, tokens: tokens ?? null, costUsd: costUsd ?? null };
}
