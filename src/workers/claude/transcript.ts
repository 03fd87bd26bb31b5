import { stat } from "node:fs/promises";
import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { readLines } from "./read-lines.ts";

/** Something that an agent said or did. */
export interface TranscriptStep {
  readonly atMs: number;
  readonly type: "said" | "tool";
  readonly text: string;
}

const block = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("tool_use"), name: z.string(), input: z.record(z.string(), z.unknown()).catch({}) }),
]);
const line = z.object({
  type: z.literal("assistant"),
  timestamp: z.iso.datetime({ offset: true }),
  message: z.object({ content: z.array(z.unknown()) }),
});
/** What a tool was asked to do, by the first of these that its input has. */
const TELLING = ["description", "command", "file_path", "pattern", "query", "url", "prompt", "path"];

/** Reads the last part of a transcript, at most so many bytes; what cannot be read is left out. */
export async function readTranscript(path: string, maxBytes: number): Promise<TranscriptStep[]> {
  const { size } = await stat(path).catch(() => ({ size: 0 }));
  const steps: TranscriptStep[] = [];
  for await (const text of readLines(path, Math.max(0, size - maxBytes))) steps.push(...readLine(text));
  return steps;
}

function readLine(text: string): TranscriptStep[] {
  const read = text.includes('"assistant"') ? line.safeParse(parseJson(text)).data : undefined;
  if (read === undefined) return [];
  const atMs = Date.parse(read.timestamp);
  return read.message.content.flatMap((content): TranscriptStep[] => {
    const part = block.safeParse(content).data;
    if (part === undefined) return [];
    if (part.type === "text") return [{ atMs, type: "said", text: part.text }];
    return [{ atMs, type: "tool", text: describeUse(part.name, part.input) }];
  });
}

function describeUse(tool: string, input: Readonly<Record<string, unknown>>): string {
  const about = TELLING.map((key) => input[key]).find((value) => typeof value === "string");
  return about === undefined ? tool : `${tool}: ${String(about)}`;
}
