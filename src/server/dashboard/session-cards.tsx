import type { Overview } from "../../control/overview.ts";
import type { RunView } from "../../control/session-view.ts";
import { shortened } from "./cut.ts";
import { ATTENTION, Badge, Command, Elapsed, FILE_COLUMNS, REASON_COLUMNS, SessionBadge, taskUrl } from "./parts.tsx";
import { Screen } from "./screen.tsx";
import { coarse } from "./words.ts";

type Session = Overview["sessions"][number];

const CARD_LINES = 8;
/** What all screens together may cost, of the 100 KB that a first visit may. */
const SCREENS_BYTES = 14_000;

/** Every session, always at the same place. */
export function SessionCards({ sessions, nowMs }: { sessions: readonly Session[]; nowMs: number }) {
  return (
    <section id="sessions" aria-labelledby="sessions-title">
      <h2 id="sessions-title">Sessions</h2>
      {sessions.length === 0 && <p class="empty">The pool has no sessions.</p>}
      <ul class="cards">
        {sessions.map((session, index) => (
          <SessionCard session={session} index={index} bytes={screenBytes(sessions)} nowMs={nowMs} />
        ))}
      </ul>
    </section>
  );
}

export function cardId(index: number): string {
  return `s${index}`;
}

/** How many bytes each card has for its screen. */
export function screenBytes(sessions: readonly Session[]): number {
  return Math.floor(SCREENS_BYTES / Math.max(1, sessions.filter(({ run }) => run !== null).length));
}

export function SessionCard(props: { session: Session; index: number; bytes: number; nowMs: number }) {
  const { session, index, bytes, nowMs } = props;
  const { name, run, state, attach, screen } = session;
  const needs = run !== null && (run.phase === "attention" || run.stale);
  return (
    <li id={cardId(index)} class={`card ${needs ? "needs" : state.replace(" ", "-")}`}>
      <div class="card-top">
        <h3>{name}</h3>
        {needs ? <NeedBadge run={run} /> : <SessionBadge state={state} />}
        {run !== null && <Elapsed since={run.started_at} nowMs={nowMs} exact />}
      </div>
      {run !== null && <RunLines run={run} />}
      {run !== null && <Screen text={screen} lines={CARD_LINES} bytes={bytes} about={`The screen of ${name}`} />}
      {state !== "missing" && <Command text={attach} />}
    </li>
  );
}

function RunLines({ run }: { run: RunView }) {
  return (
    <>
      <p class="run">
        <a href={taskUrl(run.job)}>
          <bdi>{shortened(run.task, FILE_COLUMNS)}</bdi>
        </a>
      </p>
      <p class="facts">
        <span>{run.model}</span>
        <span>{run.phase}</span>
        {run.attempt > 1 && <span>attempt {run.attempt}</span>}
        <small class="reason">{shortened(run.reason, REASON_COLUMNS)}</small>
      </p>
    </>
  );
}

function NeedBadge({ run }: { run: RunView }) {
  return run.stale ? (
    <Badge look={{ icon: "clock", tone: "warn" }} word="silent" />
  ) : (
    <Badge look={ATTENTION} word="attention" />
  );
}

/** What waits for a person, before all else. Empty where nothing does. */
export function Attention({ sessions, nowMs }: { sessions: readonly Session[]; nowMs: number }) {
  const needy = sessions.flatMap(({ run, attach }) =>
    run !== null && (run.phase === "attention" || run.stale) ? [{ run, attach }] : [],
  );
  return (
    <section
      id="attention"
      aria-live="polite"
      aria-label="Needs attention"
      class={needy.length > 0 ? "attention" : "none"}
    >
      {needy.map(({ run, attach }) => (
        <div class="need">
          <NeedBadge run={run} />
          <p>
            <a href={taskUrl(run.job)}>
              <bdi>{shortened(run.task, FILE_COLUMNS)}</bdi>
            </a>{" "}
            {run.stale ? (
              <>
                in {run.session} has shown no sign of life for {coarse(run.silent_ms)}.
              </>
            ) : (
              <>
                in {run.session} waits for a person, for <Elapsed since={run.since} nowMs={nowMs} exact />.
              </>
            )}
          </p>
          <Command text={attach} />
        </div>
      ))}
    </section>
  );
}
