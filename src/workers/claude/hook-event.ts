import { z } from "zod";
import { parseJson } from "../../core/json.ts";

const common = { session_id: z.string(), transcript_path: z.string().optional() };
const message = z
  .string()
  .nullish()
  .transform((text) => text ?? "");
/** The same in a prompt's UserPromptSubmit and its Stop. */
const prompt_id = z.string().optional().catch(undefined);
const list = z.array(z.unknown()).default([]);

const hookEvent = z.discriminatedUnion("hook_event_name", [
  z.object({ ...common, hook_event_name: z.literal("SessionStart"), source: z.string() }),
  z.object({ ...common, hook_event_name: z.literal("UserPromptSubmit"), prompt_id, prompt: z.string() }),
  z.object({
    ...common,
    hook_event_name: z.literal("Stop"),
    prompt_id,
    last_assistant_message: message,
    background_tasks: list,
    session_crons: list,
  }),
  z.object({
    ...common,
    hook_event_name: z.literal("StopFailure"),
    error: z.string(),
    last_assistant_message: message,
  }),
  z.object({ ...common, hook_event_name: z.literal("SessionEnd"), reason: z.string() }),
]);

/** A hook event of Claude Code that says something about a run's phase. */
export type HookEvent = z.infer<typeof hookEvent>;

/** Reads an event file's text; null for events that we do not know and for what is no event at all. */
export function parseHookEvent(text: string): HookEvent | null {
  return hookEvent.safeParse(parseJson(text)).data ?? null;
}
