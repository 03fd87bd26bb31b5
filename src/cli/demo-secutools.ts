import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";
import type { Service } from "../core/service.ts";

/** What the stand-in tells whoever started it. */
const listening = z.object({ url: z.url(), key: z.string() });

/** The demo's secutools: a process of its own, which ends with ours. */
export class DemoSecutools implements Service {
  readonly #program: string;
  #child: ChildProcess | null = null;
  #address = { url: "", key: "" };

  /** `program` is the stand-in's file. */
  constructor(program: string) {
    this.#program = program;
  }

  /** Where it is and the key that it wants, once started. */
  get address(): Readonly<z.infer<typeof listening>> {
    return this.#address;
  }

  async start(): Promise<void> {
    if (this.#child !== null) return;
    this.#child = fork(this.#program, ["--port", "0"], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const [message]: unknown[] = await once(this.#child, "message");
    this.#address = listening.parse(message);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  }
}
