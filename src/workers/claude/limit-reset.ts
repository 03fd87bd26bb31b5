import { z } from "zod";
import { parseJson } from "../../core/json.ts";
import { openRegular, readRegular } from "../../ledger/regular-file.ts";

/** The latest moment that a date can name. */
const seconds = z.number().positive().max(8.64e12);
const quotaLine = z.object({ quotaLimits: z.object({ resetsAt: seconds }) });
const window = z.object({ used_percentage: z.number(), resets_at: seconds }).nullish();
const statusLine = z.object({ rate_limits: z.record(z.string(), window) });

/** From this usage on, a window is the one that was hit. */
const EXHAUSTED_PERCENT = 99;
/** The error stands in the transcript's last lines. */
const TAIL_BYTES = 256 * 1024;
const MAX_STATUS_BYTES = 1024 * 1024;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const RESETS = new RegExp(
  `resets (?:(?<month>${MONTHS.join("|")}) (?<day>\\d{1,2}), )?(?<hour>1[0-2]|[1-9])(?::(?<minute>[0-5]\\d))?(?<half>am|pm) \\(UTC\\)`,
);

/** When the account's limit resets, in ms since the epoch, by whichever of Claude Code's own words says so first. */
export async function readLimitReset(
  transcript: string | null,
  statusFile: string,
  message: string,
  nowMs: number,
): Promise<number | null> {
  return (await fromTranscript(transcript)) ?? (await fromStatusLine(statusFile)) ?? resetInMessage(message, nowMs);
}

async function fromTranscript(transcript: string | null): Promise<number | null> {
  const handle = transcript === null ? null : await openRegular(transcript, "follow").catch(() => null);
  if (handle === null) return null;
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    const lines = buffer
      .toString("utf8", 0, bytesRead)
      .split("\n")
      .filter((line) => line.includes('"quotaLimits"'));
    const last = quotaLine.safeParse(parseJson(lines.at(-1) ?? "")).data;
    return last === undefined ? null : last.quotaLimits.resetsAt * 1_000;
  } finally {
    await handle.close();
  }
}

async function fromStatusLine(statusFile: string): Promise<number | null> {
  const bytes = await readRegular(statusFile, MAX_STATUS_BYTES).catch(() => null);
  const status = statusLine.safeParse(parseJson(bytes?.toString() ?? "")).data;
  const hit = Object.values(status?.rate_limits ?? {}).filter((it) => (it?.used_percentage ?? 0) >= EXHAUSTED_PERCENT);
  const resets = hit.flatMap((it) => (it ? [it.resets_at * 1_000] : []));
  return resets.length === 0 ? null : Math.max(...resets);
}

/** `… resets 11:25pm (UTC)` or `… resets Nov 24, 9:46am (UTC)`: the moment meant. Other zones are not guessed. */
export function resetInMessage(message: string, nowMs: number): number | null {
  const { month, day, hour, minute, half } = RESETS.exec(message)?.groups ?? {};
  if (hour === undefined) return null;
  const hours = (Number(hour) % 12) + (half === "pm" ? 12 : 0);
  const minutes = Number(minute ?? 0);
  const now = new Date(nowMs);
  if (month === undefined) {
    const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), hours, minutes);
    // The text leaves out the seconds: within its minute the reset is now.
    return today > nowMs - MINUTE_MS ? today : today + DAY_MS;
  }
  const years = [-1, 0, 1].map((offset) => now.getUTCFullYear() + offset);
  const moments = years.map((year) => Date.UTC(year, MONTHS.indexOf(month), Number(day), hours, minutes));
  return moments.find((moment) => moment > nowMs - DAY_MS) ?? null;
}
