import type { Queue } from "bullmq";
import pLimit from "p-limit";
import { taskKey } from "../core/id.ts";
import { slices } from "../core/slices.ts";
import type { RedisClient } from "./connection.ts";
import type { TaskPayload } from "./payload.ts";

/** The places of those files for which a live job stands as they are. Where thousands wait, no job's data is fetched. */
const KNOWN = `
local prefix = ARGV[1]
local found = {}
local index = -1
for key, fingerprint in string.gmatch(ARGV[2], "([^\\n]+)\\n([^\\n]+)\\n") do
  index = index + 1
  local id = redis.call("GET", prefix .. "de:" .. key)
  local data = id and redis.pcall("HGET", prefix .. id, "data")
  if type(data) == "string" and string.find(data, fingerprint, 1, true) then found[#found + 1] = index end
end
return found`;

/** Few enough that Redis keeps nobody else waiting for the answer. */
const ASKED_AT_ONCE = 100;
/** Enough that Redis looks for some while the next are asked for. */
const UNDER_WAY = 3;

/** A task's file as it was looked at. */
export type SeenFile = Pick<TaskPayload, "project" | "name" | "fingerprint">;

/** Whether a live job stands for each of these files as it is: then there is no need to read it. */
export async function areKnown(
  files: readonly SeenFile[],
  queues: readonly Queue[],
  redis: RedisClient,
): Promise<boolean[]> {
  const answers = await pLimit(UNDER_WAY).map(slices(files, ASKED_AT_ONCE), async (some) => {
    const lines = some.map((file) => `${taskKey(file)}\n${fingerprintIn(file)}\n`).join("");
    const known = await Promise.all(queues.map((queue) => knownIn(queue, lines, redis)));
    return some.map((_, index) => known.some((places) => places.has(index)));
  });
  return answers.flat();
}

async function knownIn(queue: Queue, lines: string, redis: RedisClient): Promise<ReadonlySet<number>> {
  const answer = await redis.eval(KNOWN, 1, queue.toKey("de"), queue.toKey(""), lines);
  return new Set(Array.isArray(answer) ? answer.map(Number) : []);
}

/** As it stands in a job's data, and cannot stand in any text there, whose quotation marks are escaped. */
function fingerprintIn({ fingerprint }: SeenFile): string {
  return JSON.stringify({ fingerprint }).slice(1, -1);
}
