import type { RedisClient } from "./connection.ts";

/**
 * One command for many jobs, and all their keys in one argument, as both cost us more than the reading of a job costs
 * Redis. The first key tells a cluster where they are.
 */
const FIELDS = `
local found = {}
for key in string.gmatch(ARGV[1], "[^\\n]+") do
  local values = redis.pcall("HMGET", key, unpack(ARGV, 2))
  found[#found + 1] = values.err and {} or values
end
return found`;
/** The places of those whose field begins or ends with a text. */
const HAVING = `
local field, text, where = unpack(ARGV, 2)
local found = {}
local index = -1
for key in string.gmatch(ARGV[1], "[^\\n]+") do
  index = index + 1
  local value = redis.pcall("HGET", key, field)
  if type(value) == "string" and #value >= #text then
    local part = where == "first" and string.sub(value, 1, #text) or string.sub(value, -#text)
    if part == text then found[#found + 1] = index end
  end
end
return found`;
/** The places of those whose task has a tag: only where its text is anywhere is it worth to read what the job says. */
const TAGGED = `
local tag, text = unpack(ARGV, 2)
local found = {}
local index = -1
for key in string.gmatch(ARGV[1], "[^\\n]+") do
  index = index + 1
  local value = redis.pcall("HGET", key, "data")
  if type(value) == "string" and string.find(value, text, 1, true) then
    local isJson, data = pcall(cjson.decode, value)
    local tags = isJson and type(data) == "table" and type(data.header) == "table" and data.header.tags
    for _, one in ipairs(type(tags) == "table" and tags or {}) do
      if one == tag then
        found[#found + 1] = index
        break
      end
    end
  end
end
return found`;
/** Few enough that nobody waits for the answer to others. */
const READ_AT_ONCE = 500;

/** These fields of many jobs, in the order of their keys; none of what is no job. */
export async function readJobFields(
  redis: RedisClient,
  keys: readonly string[],
  names: readonly string[],
): Promise<unknown[][]> {
  const parts = partsOf(keys).map(
    async ({ some }) => await redis.eval(FIELDS, 1, some[0] ?? "", some.join("\n"), ...names),
  );
  return (await Promise.all(parts)).flatMap(rowsOf);
}

/** A text in a field, at its beginning or at its end. */
export interface Sought {
  readonly field: string;
  readonly text: string;
  readonly where: "first" | "last";
}

/** The places of the jobs among these in which a text is found: to fetch a field costs more than to look for it there. */
export async function findJobs(
  redis: RedisClient,
  keys: readonly string[],
  { field, text, where }: Sought,
): Promise<Set<number>> {
  return await find(redis, keys, HAVING, [field, text, where]);
}

/** The places of those among these jobs whose task has a tag. */
export async function findTagged(redis: RedisClient, keys: readonly string[], tag: string): Promise<Set<number>> {
  return await find(redis, keys, TAGGED, [tag, JSON.stringify(tag)]);
}

async function find(
  redis: RedisClient,
  keys: readonly string[],
  script: string,
  args: readonly string[],
): Promise<Set<number>> {
  const parts = partsOf(keys).map(async ({ start, some }) => {
    const answer = await redis.eval(script, 1, some[0] ?? "", some.join("\n"), ...args);
    return Array.isArray(answer) ? answer.map((index) => start + Number(index)) : [];
  });
  return new Set((await Promise.all(parts)).flat());
}

function partsOf(keys: readonly string[]): { start: number; some: readonly string[] }[] {
  const starts = Array.from({ length: Math.ceil(keys.length / READ_AT_ONCE) }, (_, index) => index * READ_AT_ONCE);
  return starts.map((start) => ({ start, some: keys.slice(start, start + READ_AT_ONCE) }));
}

function rowsOf(answer: unknown): unknown[][] {
  return Array.isArray(answer) ? answer.map((values) => (Array.isArray(values) ? values : [])) : [];
}
