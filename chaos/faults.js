import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { countTasks, PROJECTS } from "./places.js";
import { isAgentOf, signal } from "./processes.js";

/**
 * One kind of harm. While it lasts, nothing else is done to what it locks.
 * @typedef {object} Fault
 * @property {string} name
 * @property {number} weight how often it comes, beside the others
 * @property {readonly [min: number, max: number]} lastsMs
 * @property {(scene: Scene) => readonly Victim[]} victims of which one is picked
 *
 * @typedef {object} Victim
 * @property {readonly string[]} locks
 * @property {() => Promise<Undo | null>} harm resolves with null when there was nothing to harm
 *
 * @typedef {() => Promise<void>} Undo
 *
 * @typedef {object} Scene
 * @property {import("./world.js").World} world
 * @property {import("./author.js").Author} author
 * @property {import("./random.js").Random} random
 * @property {boolean} isShort bursts are small
 */

const PAUSE = /** @type {const} */ ([1_000, 20_000]);
const AT_ONCE = /** @type {const} */ ([0, 0]);
/** With more waiting already, the rest of the time would go by with nothing else. */
const ENOUGH = 50;
/** A daemon that is down, or paused, takes no command. */
const TRY_MS = 500;
const MAX_TRIES = 60;
/** When a limit says that it ends. The queue waits a minute longer, unless a person ends its hold. */
const LIMIT_MS = 3_000;

const nothing = async () => {};

/** @type {readonly Fault[]} */
export const FAULTS = [
  { name: "daemon killed", weight: 8, lastsMs: [0, 3_000], victims: (scene) => daemonStopped(scene, "SIGKILL") },
  { name: "daemon restarted", weight: 4, lastsMs: [0, 1_000], victims: (scene) => daemonStopped(scene, "SIGTERM") },
  { name: "daemon paused", weight: 3, lastsMs: PAUSE, victims: daemonPaused },
  { name: "Redis killed", weight: 5, lastsMs: [0, 5_000], victims: redisKilled },
  { name: "Redis paused", weight: 3, lastsMs: PAUSE, victims: redisPaused },
  { name: "Redis emptied", weight: 2, lastsMs: AT_ONCE, victims: redisEmptied },
  { name: "Redis rolled back", weight: 2, lastsMs: AT_ONCE, victims: redisRolledBack },
  { name: "agent killed", weight: 8, lastsMs: AT_ONCE, victims: agentKilled },
  { name: "agent paused", weight: 6, lastsMs: PAUSE, victims: agentPaused },
  { name: "session killed", weight: 5, lastsMs: AT_ONCE, victims: sessionKilled },
  { name: "tmux server killed", weight: 1, lastsMs: AT_ONCE, victims: tmuxKilled },
  { name: "platform paused", weight: 2, lastsMs: PAUSE, victims: platformPaused },
  { name: "platform answers 503", weight: 2, lastsMs: [1_000, 8_000], victims: (scene) => gatewaySet(scene, "errors") },
  { name: "platform answers 429", weight: 2, lastsMs: [1_000, 8_000], victims: (scene) => gatewaySet(scene, "limits") },
  { name: "connections reset", weight: 2, lastsMs: [1_000, 8_000], victims: (scene) => gatewaySet(scene, "resets") },
  { name: "answers lost", weight: 2, lastsMs: [1_000, 8_000], victims: (scene) => gatewaySet(scene, "cuts") },
  { name: "platform slow", weight: 2, lastsMs: [1_000, 8_000], victims: (scene) => gatewaySet(scene, "slow") },
  { name: "project away", weight: 3, lastsMs: [200, 8_000], victims: projectAway },
  { name: "burst of tasks", weight: 2, lastsMs: AT_ONCE, victims: burst },
  { name: "usage limit", weight: 0.5, lastsMs: [3_000, 6_000], victims: usageLimit },
];

/** @param {Scene} scene @param {"SIGKILL" | "SIGTERM"} name @returns {Victim[]} */
function daemonStopped({ world: { hosts } }, name) {
  return hosts.map((host) => ({
    locks: [daemonLock(host)],
    harm: async () => {
      await host.stop(name);
      return async () => host.start();
    },
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function daemonPaused({ world: { hosts } }) {
  return hosts.map((host) => ({
    locks: [daemonLock(host)],
    harm: async () => paused(host.pid(), () => true),
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function redisKilled({ world: { redis } }) {
  const harm = async () => {
    await redis.kill();
    return async () => await redis.start();
  };
  return [{ locks: ["redis"], harm }];
}

/** @param {Scene} scene @returns {Victim[]} */
function redisPaused({ world: { redis } }) {
  return [{ locks: ["redis"], harm: async () => paused(redis.pid(), (pid) => redis.pid() === pid) }];
}

/** @param {Scene} scene @returns {Victim[]} */
function redisEmptied({ world: { redis } }) {
  const harm = async () => {
    const answer = await redis.cli("FLUSHALL").catch(() => "");
    return answer === "OK" ? nothing : null;
  };
  return [{ locks: ["redis"], harm }];
}

/** An older copy of its data is put in their place. @param {Scene} scene @returns {Victim[]} */
function redisRolledBack({ world: { redis, hosts }, random }) {
  const harm = async () => {
    if (redis.pid() === null) return null;
    redis.keep();
    await sleep(random.between(1_000, 15_000));
    // A daemon that owns its Redis would start it before it is rolled back.
    if (redis.isEmbedded) for (const host of hosts) await host.stop("SIGKILL");
    await redis.kill();
    redis.rollBack();
    await redis.start();
    if (redis.isEmbedded) for (const host of hosts) host.start();
    return nothing;
  };
  return [{ locks: ["redis", ...(redis.isEmbedded ? hosts.map(daemonLock) : [])], harm }];
}

/** @param {Scene} scene @returns {Victim[]} */
function agentKilled({ world: { lives } }) {
  return lives.alive().map(({ pid }) => ({
    locks: [`agent ${pid}`],
    harm: async () => (signal(pid, "SIGKILL") ? nothing : null),
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function agentPaused({ world: { lives } }) {
  return lives.alive().map(({ pid, run }) => ({
    locks: [`agent ${pid}`],
    harm: async () => paused(pid, () => isAgentOf(pid, run)),
  }));
}

/** One with an agent in it, if there is any. @param {Scene} scene @returns {Victim[]} */
function sessionKilled({ world: { hosts }, random }) {
  return hosts.map((host) => ({
    locks: [],
    harm: async () => {
      const sessions = await host.sessions();
      const victim = random.pick(sessions.filter(({ run }) => run !== "")) ?? random.pick(sessions);
      if (victim === undefined) return null;
      await host.tmux("kill-session", "-t", `=${victim.session}`);
      return nothing;
    },
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function tmuxKilled({ world: { hosts } }) {
  return hosts.map((host) => ({
    locks: [],
    harm: async () => {
      await host.tmux("kill-server");
      return nothing;
    },
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function platformPaused({ world: { platform } }) {
  return [{ locks: ["platform"], harm: async () => paused(platform.pid, () => true) }];
}

/** @param {Scene} scene @param {import("./gateway.js").Mode} mode @returns {Victim[]} */
function gatewaySet({ world: { gateway } }, mode) {
  const harm = async () => {
    gateway.set(mode);
    return async () => gateway.set("open");
  };
  return [{ locks: ["gateway"], harm }];
}

/** Its folder is moved away as a whole, and comes back. @param {Scene} scene @returns {Victim[]} */
function projectAway({ world: { places } }) {
  return PROJECTS.map((project) => ({
    locks: [project],
    harm: async () => {
      const [home, away] = [join(places.projects, project), join(places.away, project)];
      renameSync(home, away);
      return async () => {
        if (existsSync(home)) renameSync(home, join(places.ghosts, `${project}-${Date.now()}`));
        renameSync(away, home);
      };
    },
  }));
}

/** @param {Scene} scene @returns {Victim[]} */
function burst({ world, author, random, isShort }) {
  const harm = async () => {
    if (countTasks(world.places).waiting > ENOUGH) return null;
    await author.burst(isShort ? random.between(10, 20) : random.between(50, 200));
    return nothing;
  };
  return [{ locks: ["burst"], harm }];
}

/** The account is out of its quota for a moment; then a person lets the pool go on. @param {Scene} scene @returns {Victim[]} */
function usageLimit({ world: { hosts } }) {
  return hosts.map((host) => ({
    locks: [`limit ${host.name}`],
    harm: async () => {
      const file = join(host.claudeDir, "limit.json");
      if (!existsSync(host.claudeDir)) return null;
      const resetsAt = Math.ceil((Date.now() + LIMIT_MS) / 1000);
      writeFileSync(file, JSON.stringify({ message: "You've hit your session limit", resetsAt }));
      return async () => {
        rmSync(file, { force: true });
        for (let tries = 0; tries < MAX_TRIES && !(await host.command("resume")); tries += 1) await sleep(TRY_MS);
      };
    },
  }));
}

/** @param {import("./host.js").Host} host */
const daemonLock = ({ name }) => `daemon ${name}`;

/** Stopped by a signal, and continued. @param {number | null} pid @param {(pid: number) => boolean} isStillIt @returns {Promise<Undo | null>} */
async function paused(pid, isStillIt) {
  if (pid === null || !signal(pid, "SIGSTOP")) return null;
  return async () => {
    if (isStillIt(pid)) signal(pid, "SIGCONT");
  };
}
