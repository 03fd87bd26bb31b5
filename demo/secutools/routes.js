import { setTimeout as sleep } from "node:timers/promises";
import { Hono } from "hono";
import { accepted, ended, error, found, tooMany, unknown } from "./answers.js";
import { openFaults } from "./chance.js";
import { ScriptError } from "./script.js";
import { Refusal, readSubmission } from "./wire.js";

/**
 * @typedef {import("./options.js").Settings} Settings
 * @typedef {ReturnType<typeof import("./jobs.js").openJobs>} Jobs
 * @typedef {ReturnType<typeof import("./witness.js").openWitness>} Witness
 * @typedef {{ Bindings: import("@hono/node-server").HttpBindings }} Env
 */

/**
 * The API of docs/secutools-api.yaml.
 * @param {Settings} settings
 * @param {Jobs} jobs
 * @param {Witness} witness
 */
export function createRoutes(settings, jobs, witness) {
  const { key: apiKey, latencyMs, retryAfterS, now } = settings;
  /** @type {Hono<Env>} */
  const app = new Hono();

  app.onError((problem) => {
    if (problem instanceof Refusal) return error(problem.status, problem.code, problem.message);
    if (problem instanceof ScriptError) return error(422, "invalid_script", `the stand-in ${problem.message}`);
    return error(500, "internal", problem.message);
  });
  app.notFound(({ req }) => error(404, "not_found", `nothing at ${req.method} ${req.path}`));

  app.use(observed(witness), late(latencyMs), guarded(apiKey), faulty(settings));

  app.post("/api/v1/jobs", async ({ env }) => {
    const { key, submission } = await readSubmission(env.incoming);
    const outcome = jobs.submit(key, submission);
    switch (outcome.kind) {
      case "conflict":
        return error(409, "idempotency_conflict", "this Idempotency-Key belongs to another submission");
      case "refused":
        return outcome.status === 429 ? tooMany(retryAfterS) : error(outcome.status, "refused", "as the prompt asks");
      case "unavailable":
        return error(503, "unavailable", "try again later");
      case "limited":
        return tooMany(retryAfterS);
      case "accepted":
        witness.accepted(outcome.job, outcome.isNew);
        if (outcome.isDropped) env.incoming.socket.destroy();
        return accepted(outcome.job, outcome.isNew, now());
    }
  });

  app.get("/api/v1/jobs/:id", ({ req }) => {
    const job = jobs.find(req.param("id"));
    return job === undefined ? unknown(req.param("id")) : found(job, now());
  });

  app.delete("/api/v1/jobs/:id", ({ req }) => {
    const job = jobs.find(req.param("id"));
    if (job === undefined) return unknown(req.param("id"));
    jobs.cancel(job);
    return ended(job, now());
  });

  return app;
}

/**
 * Tells the witness of each request, and of its answer before it is sent.
 * @param {Witness} witness
 * @returns {import("hono").MiddlewareHandler<Env>}
 */
function observed(witness) {
  return async (context, next) => {
    const { env, req } = context;
    const request = witness.arrived(req.method, req.path, req.header("idempotency-key"));
    env.outgoing.once("close", witness.left);
    await next();
    witness.answered(request, env.incoming.socket.destroyed ? "dropped" : context.res.status);
  };
}

/**
 * Holds each answer back.
 * @param {number} latencyMs
 * @returns {import("hono").MiddlewareHandler<Env>}
 */
function late(latencyMs) {
  return async ({ env }, next) => {
    const gone = new AbortController();
    env.outgoing.once("close", () => gone.abort());
    await next();
    if (latencyMs > 0) await sleep(latencyMs, undefined, { signal: gone.signal }).catch(() => {});
  };
}

/**
 * Lets nobody in without the key.
 * @param {string} apiKey
 * @returns {import("hono").MiddlewareHandler<Env>}
 */
function guarded(apiKey) {
  return async ({ req }, next) => {
    if (req.header("authorization") !== `Bearer ${apiKey}`)
      return error(401, "unauthorized", "wrong or missing API key");
    return next();
  };
}

/**
 * What goes wrong by chance.
 * @param {Settings} settings
 * @returns {import("hono").MiddlewareHandler<Env>}
 */
function faulty(settings) {
  const nextFault = openFaults(settings);
  return async ({ env, req }, next) => {
    const fault = nextFault(req.method);
    switch (fault.kind) {
      case "none":
        return next();
      case "error":
        return error(fault.status, "unavailable", "try again later");
      case "limit":
        return tooMany(settings.retryAfterS);
      case "drop":
        await next();
        env.incoming.socket.destroy();
        return undefined;
    }
  };
}
