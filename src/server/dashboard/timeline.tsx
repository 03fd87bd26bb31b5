import type { TaskStep } from "../../control/task-view.ts";
import { stripAnsi } from "./ansi.ts";
import { Clock } from "./parts.tsx";
import { grouped } from "./words.ts";

/** How many steps are shown; an agent may take thousands. */
const MAX_STEPS = 200;

/** What the dot of a step looks like; every other one is plain. */
const LOOKS: ReadonlyMap<string, string> = new Map([
  ["done", "good"],
  ["failed", "bad"],
  ["rejected", "bad"],
  ["attention", "bad"],
  ["cancelled", "quiet"],
  ["retrying", "warn"],
  ["held", "warn"],
  ["launched", "live"],
  ["submitted", "live"],
  ["delegated", "live"],
  ["tool", "small"],
  ["said", "small"],
]);

/** What happened to a task, the first step first. */
export function Timeline({ steps }: { steps: readonly TaskStep[] }) {
  const shown = steps.slice(-MAX_STEPS);
  const left = steps.length - shown.length;
  return (
    <section id="timeline" class="panel" aria-labelledby="timeline-title">
      <h2 id="timeline-title">What happened</h2>
      {left > 0 && <p class="empty">{grouped(left)} earlier steps are left out: `ccl-queue logs` has them all.</p>}
      {steps.length === 0 && <p class="empty">Nothing is written down of this task.</p>}
      <ol class="steps">
        {shown.map(({ at, type, text }) => (
          <li class={`step ${LOOKS.get(type) ?? "plain"}`} data-key={`${at} ${type}`}>
            <Clock at={at} />
            <span class="type">{type}</span>
            <bdi class="said">{stripAnsi(text)}</bdi>
          </li>
        ))}
      </ol>
    </section>
  );
}
