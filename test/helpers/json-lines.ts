import type { z } from "zod";

/** The values of a text with one on each line. Its last line counts once it has an end: whoever writes it is at it. */
export function jsonLines<T>(text: string, schema: z.ZodType<T>): T[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => schema.parse(JSON.parse(line)));
}
