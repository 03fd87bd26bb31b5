import type { HistorySlot, Overview } from "../../control/overview.ts";
import { totals } from "./status-strip.tsx";
import { counted } from "./words.ts";

/** Sizes in units of the picture, which is stretched to its place. */
const SLOT = 6;
const UP = 60;
const DOWN = 20;
const USE = 30;
const SLOTS_IN_AN_HOUR = 6;

/** Throughput and utilisation of the last 24 hours; those who do not see it get the numbers by the hour. */
export function HistoryPlot({ overview }: { overview: Overview }) {
  const { history } = overview;
  const { done, failed } = totals(overview);
  const use = averageUse(history);
  const summary = `${counted(done, "task")} done, ${failed} failed, sessions busy ${use} of the time`;
  return (
    <section id="history" class="panel" aria-labelledby="history-title">
      <h2 id="history-title">Last 24 hours</h2>
      <ul class="legend">
        <li class="up">done, in ten minutes: up</li>
        <li class="down">failed: down</li>
        <li class="use">sessions busy: {use} on average</li>
      </ul>
      <Picture history={history} summary={summary} />
      <p class="axis" aria-hidden="true">
        <span>24 h ago</span>
        <span>18 h</span>
        <span>12 h</span>
        <span>6 h</span>
        <span>now</span>
      </p>
      <details>
        <summary>By the hour</summary>
        <Hours history={history} />
      </details>
    </section>
  );
}

function Picture({ history, summary }: { history: readonly HistorySlot[]; summary: string }) {
  const width = Math.max(1, history.length) * SLOT;
  const most = Math.max(1, ...history.map((slot) => slot.done));
  const mostFailed = Math.max(1, ...history.map((slot) => slot.failed));
  const up = history.map((slot, index) => bar(index, UP, -Math.ceil((slot.done / most) * UP)));
  const down = history.map((slot, index) => bar(index, UP + 1, Math.ceil((slot.failed / mostFailed) * DOWN)));
  const base = UP + DOWN + 8 + USE;
  const use = history.map((slot, index) => bar(index, base, -Math.round((slot.utilisation ?? 0) * USE), 0));
  return (
    <svg class="plot" viewBox={`0 0 ${width} ${base + 1}`} preserveAspectRatio="none" role="img" aria-label={summary}>
      <path class="up" d={up.join("")} />
      <path class="down" d={down.join("")} />
      <path class="use" d={use.join("")} />
      <path class="line" d={`M0 ${UP + 0.5}h${width}M0 ${base + 0.5}h${width}`} />
    </svg>
  );
}

/** A bar from a line up or down; none where there is nothing. */
function bar(index: number, from: number, height: number, gap = 1): string {
  return height === 0 ? "" : `M${index * SLOT} ${from}v${height}h${SLOT - gap}v${-height}z`;
}

function Hours({ history }: { history: readonly HistorySlot[] }) {
  const starts = history.flatMap((_slot, index) => (index % SLOTS_IN_AN_HOUR === 0 ? [index] : []));
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">from</th>
          <th scope="col">done</th>
          <th scope="col">failed</th>
          <th scope="col">busy</th>
        </tr>
      </thead>
      <tbody>
        {starts.map((start) => {
          const slots = history.slice(start, start + SLOTS_IN_AN_HOUR);
          return (
            <tr>
              <th scope="row">
                <time datetime={slots[0]?.at} data-t="hour">
                  {slots[0]?.at.slice(11, 16)}
                </time>
              </th>
              <td>{slots.reduce((total, slot) => total + slot.done, 0)}</td>
              <td>{slots.reduce((total, slot) => total + slot.failed, 0)}</td>
              <td>{averageUse(slots)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** In per cent, where anything is known. */
function averageUse(slots: readonly HistorySlot[]): string {
  const known = slots.flatMap(({ utilisation }) => utilisation ?? []);
  if (known.length === 0) return "–";
  return `${Math.round((100 * known.reduce((sum, part) => sum + part, 0)) / known.length)} %`;
}
