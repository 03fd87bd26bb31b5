import type { Context } from "hono";

/** Methods that change nothing. */
const READS = ["GET", "HEAD", "OPTIONS"];

/** Whether a request may change something. */
export function isChange(context: Context): boolean {
  return !READS.includes(context.req.method);
}

/** Whether a browser asks for a whole page because somebody followed a link. */
export function isLink(context: Context): boolean {
  const { req } = context;
  return (
    req.method === "GET" && req.header("sec-fetch-mode") === "navigate" && req.header("sec-fetch-dest") === "document"
  );
}

/** Whether the answer is for a person's eyes: a page, and not JSON. */
export function wantsPage(context: Context): boolean {
  return context.req.method === "GET" && (context.req.header("accept") ?? "").includes("text/html");
}

/** Whether a body comes with the request. */
export function hasBody(context: Context): boolean {
  const length = context.req.header("content-length") ?? "0";
  return length !== "0" || context.req.header("transfer-encoding") !== undefined;
}
