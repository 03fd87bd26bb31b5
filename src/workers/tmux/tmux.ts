import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { isSystemError, messageOf, QueueError } from "../../core/errors.ts";

/** One pane of a session of ours, as tmux sees it. */
export interface Pane {
  readonly session: string;
  /** tmux's own name of the pane, such as %12: it is never given to another. */
  readonly id: string;
  readonly pid: number;
  readonly dead: boolean;
  /** The only pane of the session's only window. */
  readonly alone: boolean;
  /** The run that the session was tagged with, or null. */
  readonly run: string | null;
  readonly command: string;
  /** When a person last typed in the session, in ms since the epoch; null when nobody is attached. */
  readonly typedAtMs: number | null;
  /** Until when the session rests, in ms since the epoch; 0 when it does not. */
  readonly coolsUntilMs: number;
}

/** The session option that carries the run's id, so that tmux alone tells who works where. */
const RUN_TAG = "@ccl_run";
/** The one that says until when the session rests. */
const COOLS_UNTIL = "@ccl_cools_until";
/** What tmux says when no server runs on its socket, or one without any session. */
const NOTHING_THERE =
  /no server running|server exited unexpectedly|no current target|error connecting to .*(No such file or directory|Connection refused)/;
/** What tmux says of a session that is there already. */
const DUPLICATE = /duplicate session/;
/** What tmux says of a pane that went away with its session. */
const NO_PANE = /can't find pane/;
const TIMEOUT_MS = 10_000;
const execute = promisify(execFile);
/** Free text comes last: no field before it can hold the separator. */
const PANE_FORMAT = `#{pane_id}|#{pane_pid}|#{pane_dead}|#{session_windows}|#{window_panes}|#{session_attached}|#{session_activity}|#{${RUN_TAG}}|#{${COOLS_UNTIL}}|#{session_name}|#{pane_current_command}`;

type Command = readonly string[];

/** What stands in a pane. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly text: string;
}

/** A typed tmux client on one socket. Every argument reaches tmux as it is: no shell and no format reads it. */
export class Tmux {
  readonly socket: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  /** What new panes run; asked once. */
  #shell: string | null = null;

  constructor(socket: string, environment: Readonly<Record<string, string>>, timeoutMs = TIMEOUT_MS) {
    this.socket = socket;
    this.#environment = environment;
    this.#timeoutMs = timeoutMs;
  }

  /** Every pane on the server, none when no server runs. @throws {QueueError} TMUX_FAILED: then nothing is known. */
  async listPanes(): Promise<Pane[]> {
    const output = await this.#run([["list-panes", "-a", "-F", PANE_FORMAT]]).catch((error: unknown) => {
      if (NOTHING_THERE.test(messageOf(error))) return "";
      throw error;
    });
    return output.split("\n").flatMap((line) => parsePane(line) ?? []);
  }

  /** Creates detached sessions with an idle shell, starting the server where none runs. */
  async createSessions(names: readonly string[], directory: string): Promise<void> {
    const start = names.map((name) => [
      "new-session",
      "-d",
      "-s",
      name,
      "-c",
      escapeFormat(directory),
      "-x",
      "200",
      "-y",
      "50",
    ]);
    // Without a session for a moment, the server would end.
    const stay = ["set-option", "-s", "exit-empty", "off"];
    await this.#run([...start, stay]).catch((error: unknown) => {
      // Somebody else has made one of them at the same moment: what is still missing is made by the next look.
      if (!DUPLICATE.test(messageOf(error))) throw error;
    });
  }

  /** Replaces what runs in a session's pane by a run's program, and tags the session with the run. */
  async startRun(pane: Pane, run: string, argv: readonly string[]): Promise<void> {
    await this.#run([
      ["set-option", "-t", pane.id, RUN_TAG, run],
      ["set-option", "-w", "-t", pane.id, "remain-on-exit", "on"],
      ["respawn-pane", "-k", "-t", pane.id, ...argv],
    ]);
  }

  /**
   * Replaces what runs in a session's pane by an idle shell that rests until then, and takes the tag off. A pane that is
   * gone is no error.
   */
  async giveBack(pane: Pane, coolsUntilMs: number): Promise<void> {
    try {
      this.#shell ??= (await this.#run([["show-options", "-gv", "default-shell"]])).trim();
      await this.#run([
        ["respawn-pane", "-k", "-t", pane.id, this.#shell, "-l"],
        ["set-option", "-w", "-u", "-t", pane.id, "remain-on-exit"],
        ["set-option", "-t", pane.id, COOLS_UNTIL, String(coolsUntilMs)],
        ["set-option", "-u", "-t", pane.id, RUN_TAG],
      ]);
    } catch (error) {
      if (!NO_PANE.test(messageOf(error)) && !NOTHING_THERE.test(messageOf(error))) throw error;
    }
  }

  /**
   * Sets an option of the server where it is as known (empty where it is not set), and returns what it is then; null
   * where no server runs. Of several that know the same, one sets it. All three are plain words: formats read them.
   */
  async swapOption(name: string, known: string, wanted: string): Promise<string | null> {
    const output = await this.#run([
      ["if-shell", "-F", `#{==:#{${name}},${known}}`, `set-option -s ${name} "${wanted}"`],
      ["display-message", "-p", `#{${name}}`],
    ]).catch((error: unknown) => {
      if (NOTHING_THERE.test(messageOf(error))) return null;
      throw error;
    });
    return output === null ? null : output.trim();
  }

  /** When an attached person last pressed a key, in ms since the epoch; null when nobody has since one came. */
  async typedAtMs(pane: Pane): Promise<number | null> {
    const format = "#{session_attached} #{session_last_attached} #{session_activity}";
    const output = await this.#run([["display-message", "-p", "-t", pane.id, format]]);
    const [attached = 0, cameAt = 0, activeAt = 0] = output.trim().split(" ").map(Number);
    return attached > 0 && activeAt > cameAt ? activeAt * 1_000 : null;
  }

  /** What stands on a pane's screen, for a person to read. */
  async screen(pane: Pane): Promise<string> {
    const text = await this.#run([["capture-pane", "-p", "-t", pane.id]]);
    return text
      .replace(/^Pane is dead.*$/m, "")
      .replace(/(?: *\n){3,}/g, "\n\n")
      .trim();
  }

  /** The same with its colours as ANSI sequences, as it stands, and how large it is. */
  async colouredScreen(pane: Pane): Promise<Screen> {
    const size = ["display-message", "-p", "-t", pane.id, "#{pane_width} #{pane_height}"];
    const output = await this.#run([size, capture(pane)]);
    const [first = "", ...lines] = output.split("\n");
    const [columns = 0, rows = 0] = first.split(" ").map(Number);
    return { columns, rows, text: lines.join("\n").trimEnd() };
  }

  /** Several screens with their colours in one call, in this order; null for a pane that is gone. */
  async colouredScreens(panes: readonly Pane[]): Promise<(string | null)[]> {
    if (panes.length === 0) return [];
    const end = randomUUID();
    try {
      const output = await this.#run(panes.flatMap((pane) => [capture(pane), ["display-message", "-p", end]]));
      const texts = output.split(`${end}\n`);
      return panes.map((_, index) => texts[index]?.trimEnd() ?? null);
    } catch (error) {
      if (!NO_PANE.test(messageOf(error)) || panes.length === 1) return panes.map(() => null);
      // One that is gone ends the whole call.
      return (await Promise.all(panes.map((pane) => this.colouredScreens([pane])))).flat();
    }
  }

  /** Ends the server and everything in it. For servers of our own only. */
  async killServer(): Promise<void> {
    await this.#run([["kill-server"]]).catch(() => {});
  }

  async #run(commands: readonly Command[]): Promise<string> {
    const argv = commands.flatMap((command, index) => [...(index > 0 ? [";"] : []), ...command.map(escapeSemicolon)]);
    try {
      const { stdout } = await execute("tmux", ["-L", this.socket, ...argv], {
        env: this.#environment,
        timeout: this.#timeoutMs,
        killSignal: "SIGKILL",
      });
      return stdout;
    } catch (error) {
      if (isSystemError(error, "ENOENT")) throw missing(error);
      const command = commands[0]?.[0] ?? "";
      throw new QueueError(`tmux ${command}: ${reasonOf(error)}`, { code: "TMUX_FAILED", cause: error });
    }
  }
}

function capture(pane: Pane): Command {
  return ["capture-pane", "-p", "-e", "-t", pane.id];
}

/** tmux takes an argument that ends in a semicolon for the end of a command. */
function escapeSemicolon(argument: string): string {
  return argument.endsWith(";") ? `${argument.slice(0, -1)}\\;` : argument;
}

/** tmux expands #{…}, and runs #(…), in a start directory. */
function escapeFormat(text: string): string {
  return text.replaceAll("#", "##");
}

function parsePane(line: string): Pane | null {
  const [id, pid, dead, windows, panes, attached, activity, run, coolsUntil, session, ...command] = line.split("|");
  if (id === undefined || session === undefined) return null;
  return {
    session,
    id,
    pid: Number(pid),
    dead: dead === "1",
    alone: windows === "1" && panes === "1",
    run: run === undefined || run === "" ? null : run,
    command: command.join("|"),
    typedAtMs: attached === "0" ? null : Number(activity) * 1_000,
    coolsUntilMs: Number(coolsUntil),
  };
}

function missing(cause: unknown): QueueError {
  return new QueueError("the tmux program is not installed", { code: "TMUX_MISSING", hint: "install tmux", cause });
}

/** What tmux said of its failure, or else what became of it. */
function reasonOf(error: unknown): string {
  const stderr = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  if (stderr !== "") return stderr;
  const isKilled = error instanceof Error && "killed" in error && error.killed === true;
  return isKilled ? "no answer in time" : messageOf(error).trim();
}
