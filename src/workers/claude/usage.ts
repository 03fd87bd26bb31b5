import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { readRegular } from "../../ledger/regular-file.ts";
import { readLines } from "./read-lines.ts";

/** What a run used: tokens by the transcript, cost by the status line. undefined = not known. */
export interface Usage {
  readonly tokens: { readonly input: number; readonly output: number } | undefined;
  readonly costUsd: number | undefined;
}

const count = z
  .int()
  .min(0)
  .nullish()
  .transform((tokens) => tokens ?? 0);
const assistantLine = z.object({
  type: z.literal("assistant"),
  message: z.object({
    id: z.string(),
    usage: z.object({
      input_tokens: count,
      output_tokens: count,
      cache_creation_input_tokens: count,
      cache_read_input_tokens: count,
    }),
  }),
});
/** More than this is no cost, but nonsense that would stand in the metrics for good. */
const MAX_COST_USD = 1_000_000;
const statusLine = z.object({ cost: z.object({ total_cost_usd: z.number().min(0).max(MAX_COST_USD) }) });
const MAX_STATUS_BYTES = 1024 * 1024;

/** Adds up a run's usage from its transcript, its subagents' transcripts and the last status line. */
export async function readUsage(transcript: string | null, statusFile: string): Promise<Usage> {
  return {
    tokens: transcript === null ? undefined : await readTokens(transcript),
    costUsd: await readCost(statusFile),
  };
}

async function readTokens(transcript: string): Promise<Usage["tokens"]> {
  const subagents = join(transcript.replace(/\.jsonl$/, ""), "subagents");
  const names = await readdir(subagents).catch(() => []);
  const files = [transcript, ...names.filter((name) => name.endsWith(".jsonl")).map((name) => join(subagents, name))];
  // One message has a line for each of its blocks, each with the usage so far: the last line counts.
  const usages = new Map<string, { input: number; output: number }>();
  for (const file of files) await readMessages(file, usages);
  if (usages.size === 0) return undefined;
  const sum = { input: 0, output: 0 };
  for (const { input, output } of usages.values()) {
    sum.input += input;
    sum.output += output;
  }
  return sum;
}

async function readMessages(file: string, usages: Map<string, { input: number; output: number }>): Promise<void> {
  for await (const line of readLines(file)) {
    const parsed = line.includes('"assistant"') ? assistantLine.safeParse(parseJson(line)).data : undefined;
    if (parsed === undefined) continue;
    const { id, usage } = parsed.message;
    const read = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens;
    usages.set(id, { input: read, output: usage.output_tokens });
  }
}

async function readCost(statusFile: string): Promise<number | undefined> {
  const bytes = await readRegular(statusFile, MAX_STATUS_BYTES).catch(() => null);
  return statusLine.safeParse(parseJson(bytes?.toString() ?? "")).data?.cost.total_cost_usd;
}
