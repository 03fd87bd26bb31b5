import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A proxy in front of a server on a unix socket, such as Redis: it can be cut, as a network can. */
export interface TcpGate {
  readonly port: number;
  /** Ends every connection, and every new one at once, until it is mended. */
  cut(): void;
  mend(): void;
  /** Breaks the next connection on which something with this text is asked, once the server has answered. */
  loseAnswerTo(text: string): void;
  /** Whether there are as many connections again as before it was cut. */
  isWhole(): boolean;
  close(): Promise<void>;
}

/** Opens a gate on any free port of 127.0.0.1. */
export async function openTcpGate(socket: string): Promise<TcpGate> {
  const open = new Set<Socket>();
  let isCut = false;
  let wanted = 0;
  let fatal: string | null = null;

  function drop(): void {
    for (const side of open) side.destroy();
  }

  const server = createServer((incoming) => {
    if (isCut) {
      incoming.destroy();
      return;
    }
    const onward = connect(socket);
    incoming.on("data", (chunk: Buffer) => {
      if (fatal === null || !chunk.includes(fatal)) return;
      fatal = null;
      onward.unpipe(incoming);
      onward.once("data", () => onward.destroy()).resume();
    });
    for (const [side, other] of [
      [incoming, onward],
      [onward, incoming],
    ] as const) {
      open.add(side);
      side.on("error", () => side.destroy());
      side.on("close", () => {
        open.delete(side);
        other.destroy();
      });
      side.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the gate has no port");
  return {
    port: address.port,
    cut() {
      isCut = true;
      wanted = open.size;
      drop();
    },
    mend: () => {
      isCut = false;
    },
    loseAnswerTo: (text) => {
      fatal = text;
    },
    isWhole: () => open.size >= wanted,
    async close() {
      const closed = once(server, "close");
      server.close();
      drop();
      await closed;
    },
  };
}
