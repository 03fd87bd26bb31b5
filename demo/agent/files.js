import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { refuse } from "./options.js";

/**
 * @typedef {ReturnType<typeof openFiles>} Files
 * @typedef {"idle" | "busy" | "waiting" | "shell"} Status
 */

/**
 * What Claude keeps in its config directory: `sessions/<pid>.json`, the live status of this process, and the transcript.
 * @param {import("./options.js").Options} options
 */
export function openFiles({ configDir, cwd, sessionId, resume, modelId }) {
  const projects = join(configDir, "projects");
  const sessions = join(configDir, "sessions");
  const statusFile = join(sessions, `${process.pid}.json`);
  const started = processStart();
  const own = join(projects, cwd.replaceAll(/[^a-zA-Z0-9]/g, "-"), `${sessionId}.jsonl`);
  const earlier = findTranscript(projects, sessionId);
  if (resume && earlier === undefined) refuse(`No conversation found with session ID: ${sessionId}`);
  if (!resume && earlier !== undefined) refuse(`Error: Session ID ${sessionId} is already in use.`);
  const transcript = earlier ?? own;
  let closed = false;

  /** @param {object} entry */
  function append(entry) {
    mkdirSync(dirname(transcript), { recursive: true });
    const line = { ...entry, uuid: randomUUID(), sessionId, cwd, timestamp: new Date().toISOString() };
    appendFileSync(transcript, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  }

  return {
    transcript,

    /** @param {Status} status @param {string} [waitingFor] */
    status(status, waitingFor) {
      if (closed) return;
      mkdirSync(sessions, { recursive: true });
      const now = Date.now();
      const live = { pid: process.pid, sessionId, cwd, status, waitingFor, statusUpdatedAt: now, procStart: started };
      replaceFile(statusFile, JSON.stringify(live));
    },

    /** The account's limit while it lasts: `limit.json` in the config directory, {"message", "resetsAt" in seconds}. */
    limit() {
      const file = join(configDir, "limit.json");
      return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
    },

    /** @param {string} prompt */
    user(prompt) {
      append({ type: "user", message: { role: "user", content: prompt } });
    },

    /** Every prompt of the conversation so far. */
    prompts() {
      const lines = existsSync(transcript) ? readFileSync(transcript, "utf8").split("\n") : [];
      const entries = lines.filter((line) => line.includes('"type":"user"')).map((line) => JSON.parse(line));
      return entries.map(({ message }) => String(message.content));
    },

    /**
     * A message is one line for each of its blocks, and each line repeats id and usage.
     * @param {string} text
     * @param {import("./turn.js").Usage} usage
     */
    assistant(text, usage) {
      const message = { id: `msg_${randomUUID()}`, model: modelId, role: "assistant", usage };
      append({
        type: "assistant",
        message: { ...message, content: [{ type: "thinking", thinking: "What does my script say?" }] },
      });
      append({ type: "assistant", message: { ...message, content: [{ type: "text", text }] } });
    },

    /** @param {string} error @param {string} text @param {number} [resetsAt] */
    apiError(error, text, resetsAt) {
      const usage = { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 };
      const content = [{ type: "text", text }];
      const limit = { status: "rejected", resetsAt, rateLimitType: "five_hour" };
      append({
        type: "assistant",
        isApiErrorMessage: true,
        error,
        ...(resetsAt === undefined ? {} : { apiError: "usage_limit_reached", quotaLimits: limit }),
        message: { id: randomUUID(), model: "<synthetic>", role: "assistant", content, usage },
      });
    },

    close() {
      closed = true;
      rmSync(statusFile, { force: true });
    },
  };
}

/**
 * Appears whole or not at all.
 * @param {string} path
 * @param {string} text
 */
export function replaceFile(path, text) {
  const whole = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  writeFileSync(whole, text);
  renameSync(whole, path);
}

/** A session may have been started in another directory. @param {string} projects @param {string} sessionId */
function findTranscript(projects, sessionId) {
  if (!existsSync(projects)) return undefined;
  const candidates = readdirSync(projects).map((project) => join(projects, project, `${sessionId}.jsonl`));
  return candidates.find((path) => existsSync(path));
}

/** Field 22 of /proc/PID/stat; the name before it, in brackets, may hold blanks. */
function processStart() {
  try {
    return readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ")[19] ?? "";
  } catch {
    return "";
  }
}
