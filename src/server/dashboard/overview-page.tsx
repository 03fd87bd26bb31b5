import type { Overview } from "../../control/overview.ts";
import { AddForm, type Typed } from "./add-form.tsx";
import { HistoryPlot } from "./history-plot.tsx";
import { type Frame, Layout } from "./layout.tsx";
import { type Fragment, fragment } from "./live-view.ts";
import { OtherHosts } from "./other-hosts.tsx";
import { Attention, cardId, SessionCard, SessionCards, screenBytes } from "./session-cards.tsx";
import { HoldBanner, StatusStrip } from "./status-strip.tsx";
import { Delayed, Delegated, Finished, Waiting } from "./task-rows.tsx";

/** What stands on the first page beside what changes by itself. */
export interface OverviewPageProps {
  readonly frame: Frame;
  readonly overview: Overview;
  readonly live: string;
  readonly projects: readonly string[];
  readonly typed: Typed | null;
}

export function OverviewPage({ frame, overview, live, projects, typed }: OverviewPageProps) {
  const { readOnly } = frame;
  const nowMs = Date.parse(overview.status.at);
  return (
    <Layout frame={frame} title="ccl-queue" place="/" live={live}>
      <StatusStrip overview={overview} readOnly={readOnly} />
      <Attention sessions={overview.sessions} nowMs={nowMs} />
      <HoldBanner overview={overview} readOnly={readOnly} />
      <SessionCards sessions={overview.sessions} nowMs={nowMs} />
      <div class="columns">
        <div class="column">
          <Waiting some={overview.waiting} nowMs={nowMs} />
          <Delayed some={overview.delayed} nowMs={nowMs} />
        </div>
        <div class="column">
          {!readOnly && <AddForm projects={projects} typed={typed} />}
          <Delegated overview={overview} nowMs={nowMs} />
        </div>
      </div>
      <Finished some={overview.finished} nowMs={nowMs} readOnly={readOnly} />
      <OtherHosts overview={overview} nowMs={nowMs} />
      <HistoryPlot overview={overview} />
    </Layout>
  );
}

/** The parts of the first page that change by themselves. */
export function overviewFragments(overview: Overview, readOnly: boolean): Fragment[] {
  const { sessions, waiting, delayed, finished, status } = overview;
  const nowMs = Date.parse(status.at);
  const bytes = screenBytes(sessions);
  return [
    fragment("strip", <StatusStrip overview={overview} readOnly={readOnly} />),
    fragment("hold", <HoldBanner overview={overview} readOnly={readOnly} />),
    fragment("attention", <Attention sessions={sessions} nowMs={nowMs} />),
    ...sessions.map((session, index) =>
      fragment(cardId(index), <SessionCard session={session} index={index} bytes={bytes} nowMs={nowMs} />),
    ),
    fragment("waiting", <Waiting some={waiting} nowMs={nowMs} />),
    fragment("delayed", <Delayed some={delayed} nowMs={nowMs} />),
    fragment("delegated", <Delegated overview={overview} nowMs={nowMs} />),
    fragment("finished", <Finished some={finished} nowMs={nowMs} readOnly={readOnly} />),
    fragment("others", <OtherHosts overview={overview} nowMs={nowMs} />),
    fragment("history", <HistoryPlot overview={overview} />),
  ];
}
