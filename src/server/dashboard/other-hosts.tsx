import { type HostView, hostVerdict } from "../../control/hosts.ts";
import type { Overview } from "../../control/overview.ts";
import { Badge, Elapsed } from "./parts.tsx";
import { grouped } from "./words.ts";

const LOOKS = {
  ok: { icon: "done", tone: "good" },
  attention: { icon: "alert", tone: "bad" },
  held: { icon: "pause", tone: "warn" },
  stale: { icon: "clock", tone: "warn" },
  stopped: { icon: "cancelled", tone: "quiet" },
  gone: { icon: "failed", tone: "bad" },
} as const;

/** The other hosts on this Redis, of every workspace, as they last said they stood; nothing where there is none. */
export function OtherHosts({ overview: { others }, nowMs }: { overview: Overview; nowMs: number }) {
  if (others.length === 0) return <div id="others"></div>;
  return (
    <section id="others" class="panel" aria-labelledby="others-title">
      <h2 id="others-title">
        Other hosts <span class="amount">{grouped(others.length)}</span>
      </h2>
      <ol class="rows">
        {others.map((host) => (
          <HostRow host={host} nowMs={nowMs} />
        ))}
      </ol>
    </section>
  );
}

function HostRow({ host, nowMs }: { host: HostView; nowMs: number }) {
  const verdict = hostVerdict(host);
  const all = Object.values(host.sessions).reduce((sum, count) => sum + count, 0);
  return (
    <li class="wide" data-key={`${host.workspace}/${host.host}`}>
      <Badge look={LOOKS[verdict]} word={verdict} />
      <span class="what">
        <bdi>{host.workspace}</bdi> <bdi class="file">{host.host}</bdi>
        {host.state === "up" && host.reasons.length > 0 && <bdi class="error">{host.reasons.join("; ")}</bdi>}
      </span>
      <span class="by">
        {host.sessions.busy ?? 0} of {all} busy
      </span>
      <span class="spent">
        <span>{grouped(host.waiting)} waiting</span>
        <span>{grouped(host.delegated)} delegated</span>
      </span>
      <span class="when">
        <Elapsed since={host.at} nowMs={nowMs} /> ago
      </span>
    </li>
  );
}
