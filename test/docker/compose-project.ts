import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { until } from "../helpers/until.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const START_TIMEOUT_MS = 120_000;
/** A port is published before anybody listens behind it. */
const ANSWER_MS = 5_000;

/** The services that always run. */
export type ServiceName = "init" | "agents" | "ccl-queue" | "redis";

/** A project of docker-compose.yml. */
export interface ComposeProject {
  readonly url: string;
  compose(...args: string[]): Promise<string>;
  /** The container of a service as the engine describes it, by a Go template. */
  inspect(service: ServiceName, template: string): Promise<string>;
  /** Asks the daemon; null while nobody answers. */
  ask(path: string, token?: string): Promise<Response | null>;
  /** Waits until the daemon can work. */
  ready(): Promise<void>;
  /** The ports that are published, with their addresses. */
  published(): Promise<(readonly [address: string, port: string])[]>;
}

export interface ComposeOptions {
  /** What goes before the command of Compose. */
  readonly argv: readonly string[];
  readonly cwd: string;
  /** On top of our own; undefined takes one out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the daemon is published. */
  readonly port: number;
  /** How long a command may take. */
  readonly timeoutMs: number;
}

export async function openProject({ argv, cwd, env, port, timeoutMs }: ComposeOptions): Promise<ComposeProject> {
  const [command = "", ...before] = await composeCommand();
  const compose = async (...args: string[]) => {
    const { stdout } = await execa(command, [...before, ...argv, ...args], { cwd, env, timeout: timeoutMs });
    return stdout;
  };
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path: string, token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(ANSWER_MS);
    return await fetch(`${url}${path}`, { headers, signal, redirect: "manual" }).catch(() => null);
  };
  return {
    url,
    compose,
    ask,
    inspect: async (service, template) => {
      const id = await compose("ps", "-q", service);
      return (await execa("docker", ["inspect", "-f", template, id.trim()])).stdout;
    },
    ready: async () => {
      await until("the daemon can work", async () => (await ask("/readyz"))?.status === 200, START_TIMEOUT_MS);
    },
    published: async () => {
      const ids = (await compose("ps", "-q")).trim().split("\n");
      const { stdout } = await execa("docker", ["inspect", "-f", "{{json .NetworkSettings.Ports}}", ...ids]);
      const bindings = stdout.matchAll(/"HostIp":"([^"]*)","HostPort":"([^"]*)"/g);
      return [...bindings].map(([, address = "", hostPort = ""]) => [address, hostPort] as const);
    },
  };
}

/** Compose as a plugin of docker, or else as a program. */
async function composeCommand(): Promise<string[]> {
  const plugin = await execa("docker", ["compose", "version"], { reject: false });
  return plugin.exitCode === 0 ? ["docker", "compose"] : ["docker-compose"];
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
