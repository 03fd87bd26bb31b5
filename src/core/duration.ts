const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const PATTERN = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/;

/** Milliseconds in a duration as people write it (`500ms`, `30s`, `1.5h`, `30d`), or null for anything else. */
export function parseDurationMs(text: string): number | null {
  const match = PATTERN.exec(text.trim());
  const [, amount, unit] = match ?? [];
  if (amount === undefined || !isUnit(unit)) return null;
  return Math.round(Number(amount) * UNITS_MS[unit]);
}

/** A duration for people to read: `340 ms`, `2.1 s`, `4 min 5 s`, `2 h 3 min`. */
export function formatDuration(durationMs: number): string {
  if (Math.round(durationMs) < UNITS_MS.s) return `${Math.round(durationMs)} ms`;
  const tenths = Math.round(durationMs / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.max(60, Math.floor(durationMs / 1_000));
  return seconds < 3_600 ? twoUnits(seconds, "min", "s") : twoUnits(Math.floor(seconds / 60), "h", "min");
}

/** Sixty of the small unit make a big one. */
function twoUnits(small: number, bigName: string, smallName: string): string {
  const rest = small % 60;
  return `${Math.floor(small / 60)} ${bigName}${rest > 0 ? ` ${rest} ${smallName}` : ""}`;
}

function isUnit(unit: string | undefined): unit is keyof typeof UNITS_MS {
  return unit !== undefined && unit in UNITS_MS;
}
