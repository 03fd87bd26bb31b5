import type { Overview } from "../../control/overview.ts";
import { PostButton, Remaining } from "./parts.tsx";
import { counted, grouped } from "./words.ts";

const VERDICTS = {
  ok: { icon: "done", tone: "good", word: "All is well" },
  attention: { icon: "alert", tone: "bad", word: "Needs attention" },
  held: { icon: "pause", tone: "warn", word: "Held" },
  stale: { icon: "clock", tone: "warn", word: "An agent is silent" },
} as const;

/** The verdict, and what there is of each kind. */
export function StatusStrip({ overview, readOnly }: { overview: Overview; readOnly: boolean }) {
  const { status, sessions } = overview;
  const verdict = VERDICTS[status.verdict];
  const busy = sessions.filter(({ state }) => state === "busy").length;
  const last24h = totals(overview);
  return (
    <section id="strip" class={`strip ${verdict.tone}`} aria-label="Status" data-title={titleOf(overview)}>
      <h1 class="verdict">
        <i class={`i ${verdict.icon}`}></i>
        {verdict.word}
      </h1>
      <ul class="counts">
        <Count
          label="running"
          amount={grouped(busy)}
          of={`of ${grouped(sessions.length)}`}
          url="/tasks?state=running"
        />
        <Count label="waiting" amount={grouped(overview.waiting.total)} url="/tasks?state=waiting" />
        <Count label="delayed" amount={grouped(overview.delayed.total)} url="/tasks?state=delayed" />
        <Count label="delegated" amount={grouped(overview.delegated.total)} url="/tasks?state=delegated" />
        <Count label="done" amount={grouped(last24h.done)} of="in 24 h" url="/tasks?state=done" />
        <Count label="failed" amount={grouped(last24h.failed)} of="in 24 h" url="/tasks?state=failed" />
      </ul>
      {!readOnly && status.hold === null && <PostButton action="/hold" label="Hold" about="the pool" />}
    </section>
  );
}

function Count({ label, amount, of, url }: { label: string; amount: string; of?: string; url: string }) {
  return (
    <li>
      <a href={url} class={amount === "0" ? "none" : label}>
        <b>{amount}</b> <span>{label}</span> {of !== undefined && <small>{of}</small>}
      </a>
    </li>
  );
}

/** What the tab says: first what somebody has to look at. */
function titleOf({ status }: Overview): string {
  const needs = status.runs.filter(({ phase, stale }) => phase === "attention" || stale).length;
  if (needs > 0) return `(${needs}) ${counted(needs, "session")} to look at · ccl-queue`;
  return status.hold === null ? "ccl-queue" : "Held · ccl-queue";
}

export function totals({ history }: Overview): { done: number; failed: number } {
  const sum = (key: "done" | "failed") => history.reduce((total, slot) => total + slot[key], 0);
  return { done: sum("done"), failed: sum("failed") };
}

const HOLDS = {
  limit: "The usage limit is reached",
  login: "Claude Code cannot log in",
  manual: "Held by hand",
} as const;

/** Why nothing is launched, and until when; empty where nothing holds the pool. */
export function HoldBanner({ overview, readOnly }: { overview: Overview; readOnly: boolean }) {
  const { hold, at } = overview.status;
  if (hold === null) return <div id="hold"></div>;
  const nowMs = Date.parse(at);
  return (
    <section id="hold" class="hold" aria-label="Hold">
      <i class="i pause"></i>
      <p>
        <b>{HOLDS[hold.kind]}.</b> <HoldEnd until={hold.until} nowMs={nowMs} />{" "}
        <bdi class="message">{hold.message}</bdi>
      </p>
      {!readOnly && <PostButton action="/resume" label="Resume now" kind="primary" />}
    </section>
  );
}

function HoldEnd({ until, nowMs }: { until: string | null; nowMs: number }) {
  if (until === null) return <>No task is launched until somebody resumes.</>;
  if (Date.parse(until) <= nowMs) return <>One task goes first, to see whether this is over.</>;
  return (
    <>
      No task is launched for <Remaining until={until} nowMs={nowMs} />.
    </>
  );
}
