import type { TaskFile } from "../core/task.ts";
import { findShelved } from "../ledger/find-shelved.ts";
import type { Shelf } from "../ledger/layout.ts";
import type { Fetcher } from "../queue/fetcher.ts";

/**
 * Ends a job whose file was finalised already, by this run or a later one: a crash came before Redis was told, or Redis
 * has forgotten it. null when it was not.
 */
export async function closeShelved<Payload>(
  fetcher: Fetcher<Payload>,
  { id, task, run, by = null }: { id: string; task: TaskFile; run: string; by?: string | null },
): Promise<{ shelf: Shelf; path: string } | null> {
  const shelved = await findShelved(task, run);
  if (shelved === null) return null;
  const ending = { result: shelved.shelf, path: shelved.path, by, spent: null };
  if (shelved.shelf === "done") await fetcher.complete(id, ending);
  else await fetcher.fail(id, new Error(`failed: ${shelved.path} says why`), ending);
  return shelved;
}
