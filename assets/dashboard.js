// What the pages do beyond plain HTML: clocks that run, buttons that copy or ask first.

const MINUTE_MS = 60_000;
const root = document.documentElement;
/** The server's clock less ours. */
const aheadMs = Number(root.dataset.now) - Date.now();

/** As src/server/dashboard/words.ts says it. @param {number} durationMs */
function coarse(durationMs) {
  const minutes = Math.floor(durationMs / MINUTE_MS);
  if (minutes < 1) return "<1 min";
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)} d`;
  return hours >= 10 || minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** By the second, as long as seconds matter. @param {number} durationMs */
function fine(durationMs) {
  const seconds = Math.floor(durationMs / 1_000);
  if (seconds >= 3_600) return coarse(durationMs);
  const rest = `${String(seconds % 60).padStart(2, "0")} s`;
  return seconds < 60 ? rest : `${Math.floor(seconds / 60)} min ${rest}`;
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const hour = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** @type {Record<string, (atMs: number, nowMs: number) => string>} */
const texts = {
  since: (atMs, nowMs) => coarse(Math.max(0, nowMs - atMs)),
  fine: (atMs, nowMs) => fine(Math.max(0, nowMs - atMs)),
  until: (atMs, nowMs) => fine(Math.max(0, atMs - nowMs)),
  clock: (atMs) => clock.format(atMs),
  hour: (atMs) => hour.format(atMs),
};

function tick() {
  const nowMs = Date.now() + aheadMs;
  for (const time of document.querySelectorAll("time")) {
    const atMs = Date.parse(time.dateTime);
    const text = texts[time.dataset.t ?? "since"]?.(atMs, nowMs);
    if (text === undefined || Number.isNaN(atMs)) continue;
    if (time.textContent !== text) time.textContent = text;
    if (time.title === "") time.title = moment.format(atMs);
  }
}

/** What only works with scripts is hidden until they run, and whenever a part of the page is new. */
function dress() {
  for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = !navigator.clipboard;
  const title = document.querySelector("[data-title]")?.dataset.title;
  if (title !== undefined && title !== document.title) document.title = title;
  tick();
}

/** @param {HTMLButtonElement} button */
async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy ?? "");
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1_500);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button.copy") : null;
  if (button instanceof HTMLButtonElement) copy(button).catch(() => {});
});
document.addEventListener("submit", (event) => {
  const { ask } = event.target instanceof HTMLFormElement ? event.target.dataset : {};
  if (ask !== undefined && !confirm(ask)) event.preventDefault();
});
document.addEventListener("changed", dress);
setInterval(tick, 1_000);
dress();
