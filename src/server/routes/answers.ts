import type { z } from "zod";
import { problemSchema } from "../problem.ts";

/** What may go wrong with any route. */
const problems = {
  default: { description: "What is wrong.", content: { "application/problem+json": { schema: problemSchema } } },
};

/** A route's answers: JSON of this form, or a problem. */
export function answers<T extends z.ZodType>(description: string, schema: T) {
  return { 200: { description, content: { "application/json": { schema } } }, ...problems };
}

/** The same where something new is made. */
export function created<T extends z.ZodType>(description: string, schema: T) {
  return { 201: { description, content: { "application/json": { schema } } }, ...problems };
}

/** A route's answers where they are text of this kind. */
export function textAnswers(description: string, type: string, schema: z.ZodType) {
  return { 200: { description, content: { [type]: { schema } } }, ...problems };
}
