import { once } from "node:events";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { openJobs } from "./jobs.js";
import { settle } from "./options.js";
import { createRoutes } from "./routes.js";
import { openWitness } from "./witness.js";

/** @typedef {Awaited<ReturnType<typeof startSecutools>>} StandIn */

/**
 * A platform that speaks the API of docs/secutools-api.yaml, on 127.0.0.1 unless told, keeps its jobs in memory and
 * does no work. Rejects if the port is taken.
 * @param {import("./options.js").Options} [options]
 */
export async function startSecutools(options = {}) {
  const settings = settle(options);
  const jobs = openJobs(settings);
  const witness = openWitness(settings);
  const routes = createRoutes(settings, jobs, witness);
  // Whoever imports this keeps its own Request and Response.
  const server = createServer(getRequestListener(routes.fetch, { overrideGlobalObjects: false }));
  let isPaused = false;
  server.on("connection", (socket) => {
    if (isPaused) socket.destroy();
  });
  server.listen(settings.port, settings.host);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");

  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    key: settings.key,

    /** What was accepted, oldest first. */
    jobs: jobs.list,

    /** What came in, oldest first. */
    requests: witness.requests,

    stats: witness.stats,

    /** From now on every connection ends as soon as it is made, and those that are open end now. */
    pause() {
      isPaused = true;
      server.closeAllConnections();
    },

    resume() {
      isPaused = false;
    },

    /** Ends what is still open; afterwards the port is free. Twice is fine. @returns {Promise<void>} */
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
