import { basename } from "node:path";
import { z } from "zod";
import { PROVIDERS, type Provider } from "../core/route.ts";
import type { DelegationParts } from "../workers/delegation/parts.ts";
import { providerView } from "./task-view.ts";

const count = z.int().min(0);
const cost = z.number().min(0);

/** What was delegated so far, over all hosts and restarts, and how much is out now. */
export const delegationCounts = z.object({
  /** Whether there is a platform to delegate to. */
  configured: z.boolean(),
  /** With the platform now. */
  active: count,
  submitted: count,
  completed: count,
  failed: count,
  cancelled: count,
  /** Given to the local pool because the platform would not take them. */
  fallback: count,
  /** How often the reaper looked after what is out. */
  ticks: count,
  /** When it last did. */
  ticked_at: z.iso.datetime().nullable(),
  /** By provider. */
  cost_usd: z.record(providerView, cost),
});
export type DelegationCounts = z.infer<typeof delegationCounts>;

/** The answer of `GET /api/delegated/status`. */
export const delegationStatusSchema = z.object({
  ...delegationCounts.shape,
  jobs: z.array(
    z.object({
      id: z.string(),
      project: z.string(),
      task: z.string(),
      provider: providerView,
      /** Why this provider does it. */
      reason: z.string(),
      remote_id: z.string(),
      submitted_at: z.iso.datetime(),
      age_ms: z.number(),
    }),
  ),
});
export type DelegationStatus = z.infer<typeof delegationStatusSchema>;

export async function readDelegationCounts({ client, fetcher, counters }: DelegationParts): Promise<DelegationCounts> {
  const [totals, active] = await Promise.all([counters.read(), fetcher.activeCount()]);
  const total = (name: string) => totals.get(name) ?? 0;
  const tickedAtMs = totals.get("ticked_at_ms");
  const costs = PROVIDERS.map((provider): [Provider, number] => [provider, total(`cost_usd:${provider}`)]);
  return {
    configured: client !== null,
    active,
    submitted: total("submitted"),
    completed: total("completed"),
    failed: total("failed"),
    cancelled: total("cancelled"),
    fallback: total("fallback"),
    ticks: total("ticks"),
    ticked_at: tickedAtMs === undefined ? null : new Date(tickedAtMs).toISOString(),
    cost_usd: Object.fromEntries(costs),
  };
}

/** What is with the platform now, the oldest first. */
export async function readDelegationStatus(parts: DelegationParts): Promise<DelegationStatus> {
  const nowMs = parts.now();
  const counts = await readDelegationCounts(parts);
  const jobs = (await parts.fetcher.active()).flatMap(({ id, payload }) => {
    const { project, name, provider, reason, remote } = payload;
    if (remote === null) return [];
    const submitted_at = new Date(remote.submittedAtMs).toISOString();
    const age_ms = Math.max(0, nowMs - remote.submittedAtMs);
    return [
      { id, project: basename(project), task: name, provider, reason, remote_id: remote.id, submitted_at, age_ms },
    ];
  });
  return { ...counts, jobs: jobs.sort((a, b) => b.age_ms - a.age_ms) };
}
