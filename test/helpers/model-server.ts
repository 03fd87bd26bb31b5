import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { z } from "zod";

/** What one answer of the scripted model is. After a `tool`, `reply` is asked again with the tool's result. */
export type Reply =
  | { kind: "text"; text: string }
  | { kind: "tool"; name: string; input: Record<string, unknown>; text?: string }
  | { kind: "error"; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: "hang" }
  | { kind: "drop" };

export interface ModelRequest {
  /** Milliseconds since the epoch. */
  at: number;
  model: string;
  /** Claude Code's own session id. */
  sessionId: string;
  /** What the user said so far, byte for byte and oldest first, without Claude Code's reminders. */
  texts: string[];
  /** The last of `texts`. */
  prompt: string;
  /** The results of the tools called since `prompt`; not empty = the conversation waits for what follows them. */
  toolResults: string[];
  /** Claude Code's own business (titles, suggestions, summaries): answered without asking `reply`. */
  side: boolean;
  body: Record<string, unknown>;
}

export interface ModelServer {
  /** For ANTHROPIC_BASE_URL. */
  url: string;
  /** Every request for a message, in order of arrival, retries and side requests included. */
  requests: ModelRequest[];
  /** Drops what is still open; afterwards the port is free and no timer is left. Twice is fine. */
  close(): Promise<void>;
}

/** What every successful answer claims to have used. */
const USAGE_PER_ANSWER = {
  input_tokens: 10,
  cache_creation_input_tokens: 100,
  cache_read_input_tokens: 1000,
  output_tokens: 20,
};

const resultText = z.union([
  z.string(),
  z.array(z.object({ text: z.string().default("") })).transform((parts) => parts.map(({ text }) => text).join("\n")),
]);
const content = z.union([
  z.string().transform((text) => [{ type: "text", text, content: "" }]),
  z.array(z.object({ type: z.string(), text: z.string().default(""), content: resultText.catch("") })),
]);
const messagesBody = z.looseObject({
  model: z.string(),
  stream: z.boolean().default(false),
  tools: z.array(z.unknown()).default([]),
  messages: z.array(z.object({ role: z.string(), content })),
});
type MessagesBody = z.output<typeof messagesBody>;
type Answer = Extract<Reply, { kind: "text" | "tool" }>;

const REMINDER = "<system-reminder>";
/** Side requests that come with the main loop's tools; the others have none. */
const SIDE_PROMPT =
  /^\[SUGGESTION MODE|^The user stepped away and is coming back|^(CRITICAL: Respond with TEXT ONLY|Your task is to create a detailed summary of the conversation)/;

function parseRequest(incoming: IncomingMessage, body: MessagesBody): ModelRequest {
  const texts: string[] = [];
  let toolResults: string[] = [];
  for (const block of body.messages.filter(({ role }) => role === "user").flatMap((message) => message.content)) {
    if (block.type === "tool_result") {
      toolResults.push(block.content);
    } else if (block.type === "text" && !block.text.startsWith(REMINDER)) {
      texts.push(block.text);
      toolResults = [];
    }
  }
  const prompt = texts.at(-1) ?? "";
  const sessionId = String(incoming.headers["x-claude-code-session-id"] ?? "");
  const side = body.tools.length === 0 || SIDE_PROMPT.test(prompt);
  return { at: Date.now(), model: body.model, sessionId, texts, prompt, toolResults, side, body };
}

function blocksOf(answer: Answer): Record<string, unknown>[] {
  const text = answer.text === undefined ? [] : [{ type: "text", text: answer.text }];
  if (answer.kind === "text") return text;
  return [...text, { type: "tool_use", id: `toolu_${randomUUID()}`, name: answer.name, input: answer.input }];
}

/** The block as it starts, and the delta that brings the rest. */
function streamed(block: Record<string, unknown>): [start: object, delta: object] {
  if (block["type"] === "text") {
    return [
      { type: "text", text: "" },
      { type: "text_delta", text: block["text"] },
    ];
  }
  return [
    { ...block, input: {} },
    { type: "input_json_delta", partial_json: JSON.stringify(block["input"]) },
  ];
}

function sendJson(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function sendAnswer(response: ServerResponse, answer: Answer, request: MessagesBody): void {
  const blocks = blocksOf(answer);
  const end = { stop_reason: answer.kind === "tool" ? "tool_use" : "end_turn", stop_sequence: null };
  const message = { id: `msg_${randomUUID()}`, type: "message", role: "assistant", model: request.model };
  if (!request.stream) {
    sendJson(response, 200, { ...message, content: blocks, ...end, usage: USAGE_PER_ANSWER });
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (type: string, data: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  // As the real API does: the count of output tokens is true only at the end.
  const usage = { ...USAGE_PER_ANSWER, output_tokens: 1 };
  send("message_start", { message: { ...message, content: [], stop_reason: null, stop_sequence: null, usage } });
  for (const [index, block] of blocks.entries()) {
    const [start, delta] = streamed(block);
    send("content_block_start", { index, content_block: start });
    send("content_block_delta", { index, delta });
    send("content_block_stop", { index });
  }
  send("message_delta", { delta: end, usage: { output_tokens: USAGE_PER_ANSWER.output_tokens } });
  send("message_stop", {});
  response.end();
}

function sendReply(response: ServerResponse, reply: Reply, request: MessagesBody): void {
  switch (reply.kind) {
    case "text":
    case "tool":
      sendAnswer(response, reply, request);
      break;
    case "error": {
      const body = { type: "error", error: { type: "api_error", message: `scripted ${reply.status}` } };
      sendJson(response, reply.status, reply.body ?? body, reply.headers);
      break;
    }
    case "hang":
      break;
    case "drop":
      response.destroy();
      break;
  }
}

/**
 * The Anthropic Messages API on 127.0.0.1, as far as Claude Code needs it: `reply` is the model.
 * An error thrown by `reply` is sent as an answer that Claude Code does not retry.
 */
export async function startModelServer(
  options: {
    reply?: (request: ModelRequest) => Reply | Promise<Reply>;
    /** That of a closed server, which comes back; any free one unless said. */
    port?: number;
  } = {},
): Promise<ModelServer> {
  const reply = options.reply ?? (() => ({ kind: "text" as const, text: "Done." }));
  const requests: ModelRequest[] = [];

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await readText(incoming);
    const { pathname } = new URL(incoming.url ?? "/", "http://localhost");
    if (pathname === "/v1/messages/count_tokens") return sendJson(response, 200, { input_tokens: 10 });
    if (incoming.method !== "POST" || pathname !== "/v1/messages") return sendJson(response, 200, {});
    const body = messagesBody.parse(JSON.parse(raw));
    const request = parseRequest(incoming, body);
    requests.push(request);
    sendReply(response, request.side ? { kind: "text", text: "A side answer" } : await reply(request), body);
  }

  const server = createServer((incoming, response) => {
    answer(incoming, response).catch((error: unknown) => {
      if (response.headersSent || response.destroyed) return;
      sendJson(response, 400, { type: "error", error: { type: "invalid_request_error", message: String(error) } });
    });
  });
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen(options.port ?? 0, "127.0.0.1", resolve),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");

  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
