import { endAgentTree } from "../claude/end-agent.ts";
import type { Session } from "../tmux/pool.ts";
import { RunFiles } from "./files.ts";
import type { RunParts } from "./parts.ts";
import type { RunRecord } from "./record.ts";

/** Ends a run whose task another host has taken over: the agent goes, and the file is not ours to touch. */
export async function abandonRun({ store, pool }: RunParts, record: RunRecord, session: Session | null): Promise<void> {
  await endAgentTree(await new RunFiles(store, record.id).process(), store.pathOf(record.id));
  await store.close(record);
  if (session !== null) await pool.release(session, { cooldown: false });
}
