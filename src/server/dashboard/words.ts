const MINUTE_MS = 60_000;

/** A duration for a place that is read at a glance: `<1 min`, `12 min`, `3 h 5 min`, `14 h`, `3 d`. The browser's script says the same. */
export function coarse(durationMs: number): string {
  const minutes = Math.floor(durationMs / MINUTE_MS);
  if (minutes < 1) return "<1 min";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours >= 10 || minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** The same by the second, as long as seconds matter: `4 min 05 s`. */
export function fine(durationMs: number): string {
  const seconds = Math.floor(durationMs / 1_000);
  if (seconds >= 3_600) return coarse(durationMs);
  const rest = `${String(seconds % 60).padStart(2, "0")} s`;
  return seconds < 60 ? rest : `${Math.floor(seconds / 60)} min ${rest}`;
}

/** How long something took, for a column of such: `47 s`, `12 min`. */
export function took(durationMs: number): string {
  return durationMs < MINUTE_MS ? `${Math.round(durationMs / 1_000)} s` : coarse(durationMs);
}

/** A number as people read it: `12,345`. */
export function grouped(amount: number): string {
  return amount.toLocaleString("en");
}

/** An amount of tokens: `940`, `12 k`, `1.4 M`. */
export function tokens(amount: number): string {
  if (amount < 1_000) return String(amount);
  return amount < 999_500 ? `${Math.round(amount / 1_000)} k` : `${(amount / 1_000_000).toFixed(1)} M`;
}

/** An amount of dollars: `$0.42`, `$0.0031`. */
export function dollars(amount: number): string {
  return amount > 0 && amount < 0.01 ? `$${amount.toFixed(4)}` : `$${amount.toFixed(2)}`;
}

/** `1 task`, `2 tasks`. */
export function counted(amount: number, word: string): string {
  return `${grouped(amount)} ${word}${amount === 1 ? "" : "s"}`;
}
