import { execa } from "execa";
import { until } from "./until.ts";

/** A terminal with a person in front of it: a tmux server of its own, with one window. */
export interface Terminal {
  /** The server's socket. */
  readonly socket: string;
  /** Types a text as it is. */
  type(text: string): Promise<void>;
  /** Presses keys, by tmux's names for them. */
  press(...keys: string[]): Promise<void>;
  /** What stands there, with colours as ANSI sequences if asked for. */
  screen(colours?: boolean): Promise<string>;
  /** Waits until something stands there, and returns the screen. */
  shows(what: string | RegExp): Promise<string>;
  close(): Promise<void>;
}

/** Opens a terminal in which a command runs. */
export async function openTerminal(
  argv: readonly string[],
  { columns = 80, rows = 24, cwd = "/", environment = {} }: TerminalOptions = {},
): Promise<Terminal> {
  const socket = `ccl-queue-terminal-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  const tmux = async (...args: string[]) => (await execa("tmux", ["-L", socket, "-f", "/dev/null", ...args])).stdout;
  const variables = Object.entries({ TMUX: "", TMUX_PANE: "", LANG: "C.UTF-8", ...environment }).flatMap(
    ([name, value]) => ["-e", `${name}=${value}`],
  );
  await tmux("new-session", "-d", "-x", `${columns}`, "-y", `${rows}`, "-c", cwd, ...variables, "bash", "--norc", "-i");
  await tmux("set-option", "-g", "remain-on-exit", "on");
  await tmux("respawn-pane", "-k", "-c", cwd, ...variables, ...argv);
  const screen = async (colours = false) => await tmux("capture-pane", "-p", ...(colours ? ["-e"] : []));
  return {
    socket,
    type: async (text) => void (await tmux("send-keys", "-l", text)),
    press: async (...keys) => void (await tmux("send-keys", ...keys)),
    screen,
    shows: async (what) => {
      const shown = until(`the terminal shows ${what}`, async () => {
        const text = await screen();
        return (typeof what === "string" ? text.includes(what) : what.test(text)) && text;
      });
      return await shown.catch(async (cause: Error) => {
        throw new Error(`${cause.message}; it shows:\n${await screen()}`, { cause });
      });
    },
    close: async () => void (await tmux("kill-server")),
  };
}

interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}
