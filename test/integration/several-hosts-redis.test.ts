import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { statusSchema } from "../../src/control/status.ts";
import { connectOnce, placeOf, untilReachable } from "../../src/queue/connection.ts";
import { type Hosts, prepareHosts, type TestHost } from "../helpers/hosts.ts";
import { prepareRedisServers, type RedisServer, type RedisServers } from "../helpers/redis-servers.ts";
import { until } from "../helpers/until.ts";

const TIMEOUT_MS = 60_000;
/** Hard in a URL: has to be encoded. */
const PASSWORD = "p@ss:w/o?r#d%";
const ENCODED = encodeURIComponent(PASSWORD);

let servers: RedisServers;
let hosts: Hosts | null = null;
afterEach(async () => {
  await hosts?.stop();
  hosts = null;
  await servers.stop();
});

/** Starts a daemon on a Redis and has it do a task. */
async function expectWorks(redisUrl: string): Promise<TestHost> {
  hosts = await prepareHosts({ sessions: 1 });
  const host = await hosts.start("one", { redisUrl });
  await hosts.queue.drop("x.md", "agent: say it works\n");
  expect(await hosts.queue.settled("done", 1)).toEqual(["x.md"]);
  await until("it is told", () => host.events.some(({ type }) => type === "done"));
  const status = statusSchema.parse(await (await fetch(`${host.app.url}/watchdog/status`)).json());
  expect(status.queues.local).toMatchObject({ waiting: 0, active: 0 });
  expect(host.errors).toEqual([]);
  return host;
}

/** Has a daemon do tasks while the master dies that holds the queue. */
async function expectSurvives(redisUrl: string, killMaster: () => Promise<void>): Promise<void> {
  const TASKS = 30;
  hosts = await prepareHosts({ sessions: 3 });
  const { queue } = hosts;
  const host = await hosts.start("one", { redisUrl });
  const names = Array.from({ length: TASKS }, (_, index) => `task-${10 + index}.md`);
  for (const name of names) await queue.drop(name, `${name}\nagent: work 300ms\n`);
  await queue.settled("done", 5, 20_000);
  await killMaster();
  await queue.settled("done", TASKS, 60_000);
  await until("the inbox is empty", async () => (await queue.names("inbox")).length === 0);
  expect(await queue.names("done")).toEqual(names);
  expect(await queue.names("failed")).toEqual([]);
  const started = (await queue.witness()).flatMap(({ event, firstLine }) => (event === "start" ? [firstLine] : []));
  expect(started.toSorted()).toEqual(names);
  await until("Redis knows it, too", async () => {
    const answer = await fetch(`${host.app.url}/watchdog/status`);
    const { local } = statusSchema.parse(await answer.json()).queues;
    return local.active === 0 && local.waiting === 0;
  });
}

describe("Redis is reached", () => {
  test(
    "on a unix socket",
    async () => {
      servers = await prepareRedisServers();
      const socket = join(servers.dir, "r.sock");
      await servers.start([`unixsocket ${socket}`]);
      await expectWorks(socket);
    },
    TIMEOUT_MS,
  );

  test(
    "with a password, and not without",
    async () => {
      servers = await prepareRedisServers();
      const { port } = await servers.start([`requirepass "${PASSWORD}"`], { cli: ["-a", PASSWORD] });
      await expectWorks(`redis://:${ENCODED}@127.0.0.1:${port}`);
      const redis = connectOnce({ url: `redis://127.0.0.1:${port}` }, {});
      redis.on("error", () => {});
      await expect(redis.ping()).rejects.toThrow("NOAUTH");
      redis.disconnect();
    },
    TIMEOUT_MS,
  );

  test(
    "as a user of its own that may do nothing dangerous but ask how Redis is, and in another database",
    async () => {
      servers = await prepareRedisServers();
      const server = await servers.start(
        [
          `user ccl-queue on >${PASSWORD.replace("#", "")} ~{ccl-queue:* ~ccl-queue:hosts &* +@all -@dangerous +info`,
          "user default off",
        ],
        { cli: ["--user", "ccl-queue", "-a", PASSWORD.replace("#", "")] },
      );
      await expectWorks(
        `redis://ccl-queue:${encodeURIComponent(PASSWORD.replace("#", ""))}@127.0.0.1:${server.port}/3`,
      );
      expect(await server.cli("-n", "3", "exists", "ccl-queue:hosts")).toBe("1");
      expect(await server.cli("-n", "0", "exists", "ccl-queue:hosts")).toBe("0");
      expect(await server.cli("flushall")).toContain("NOPERM");
    },
    TIMEOUT_MS,
  );
});

describe("with sentinels", () => {
  /** A master with a replica and three sentinels, all with passwords. */
  async function startSentinels(): Promise<{ url: string; killMaster(): Promise<void>; master(): Promise<string> }> {
    servers = await prepareRedisServers();
    const login = ["requirepass secret", "masterauth secret"];
    const withPassword = { cli: ["-a", "secret", "--no-auth-warning"] };
    const master = await servers.start(login, withPassword);
    const replica = await servers.start([...login, `replicaof 127.0.0.1 ${master.port}`], withPassword);
    await until("the replica follows", async () =>
      (await replica.cli("info", "replication")).includes("link_status:up"),
    );
    const sentinel = async () =>
      await servers.start(
        [
          "requirepass watch",
          "sentinel sentinel-pass watch",
          `sentinel monitor queue 127.0.0.1 ${master.port} 2`,
          "sentinel auth-pass queue secret",
          "sentinel down-after-milliseconds queue 1000",
          "sentinel failover-timeout queue 5000",
        ],
        { sentinel: true, cli: ["-a", "watch", "--no-auth-warning"] },
      );
    const sentinels = [await sentinel(), await sentinel(), await sentinel()];
    const [first] = sentinels;
    await until("the sentinels know all", async () => {
      const known = (await first?.cli("sentinel", "master", "queue")) ?? "";
      return /num-slaves\n1\n/.test(known) && /num-other-sentinels\n2\n/.test(known);
    });
    const where = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
    return {
      url: `redis+sentinel://:secret@${where}/?master=queue&sentinel_password=watch`,
      killMaster: async () => await master.kill(),
      master: async () => (await first?.cli("sentinel", "get-master-addr-by-name", "queue"))?.split("\n")[1] ?? "",
    };
  }

  test(
    "a master that dies in the middle is replaced: every task is done, and once",
    async () => {
      const { url, killMaster, master } = await startSentinels();
      const before = await master();
      await expectSurvives(url, killMaster);
      expect(await master()).not.toBe(before);
    },
    2 * TIMEOUT_MS,
  );
});

describe("with a cluster", () => {
  /** Three masters, each with a replica, all with passwords. */
  async function startCluster() {
    servers = await prepareRedisServers();
    const nodes: RedisServer[] = [];
    for (let node = 0; node < 6; node += 1) {
      const lines = ["cluster-node-timeout 1500", "requirepass secret", "masterauth secret"];
      nodes.push(await servers.start(lines, { cluster: true, cli: ["-a", "secret", "--no-auth-warning"] }));
    }
    const [first, second, third] = nodes;
    await first?.cli(
      "--cluster",
      "create",
      ...nodes.map(({ port }) => `127.0.0.1:${port}`),
      "--cluster-replicas",
      "1",
      "--cluster-yes",
    );
    await until("the replicas follow", async () => {
      const all = await Promise.all(nodes.map(async (node) => await node.cli("info", "replication")));
      return all.filter((text) => text.includes("master_link_status:up")).length === 3;
    });
    const slot = Number(await first?.cli("cluster", "keyslot", "{ccl-queue:default}"));
    const known = async (node: RedisServer) => (await node.cli("cluster", "nodes")).split("\n");
    await until(
      "all know the cluster",
      async () => {
        const all = await Promise.all(nodes.map(known));
        return all.every(
          (lines) =>
            lines.filter((line) => /master - \d+ \d+ \d+ connected \d/.test(line) || line.includes("myself,master"))
              .length === 3 && lines.filter((line) => line.includes("slave")).length === 3,
        );
      },
      30_000,
    );
    let owner = first;
    for (const node of nodes) {
      const mine = (await known(node)).find((line) => line.includes("myself")) ?? "";
      const [, from = "0", to = "-1"] = /(\d+)-(\d+)$/.exec(mine.trim()) ?? [];
      if (slot >= Number(from) && slot <= Number(to)) owner = node;
    }
    return {
      url: `redis+cluster://:secret@127.0.0.1:${second?.port},127.0.0.1:${third?.port}`,
      killMaster: async () => await owner?.kill(),
      /** By what the others say. */
      isReplaced: async () => {
        const other = nodes.find((node) => node !== owner);
        const lines = other === undefined ? [] : await known(other);
        const [old = ""] = lines.filter((line) => line.includes(`:${owner?.port}@`));
        return (
          old.includes("fail") &&
          lines.filter((line) => /master - .* connected \d|myself,master/.test(line)).length === 3
        );
      },
    };
  }

  test(
    "a master that dies in the middle is replaced: every task is done, and once",
    async () => {
      const { url, killMaster, isReplaced } = await startCluster();
      expect(await isReplaced()).toBe(false);
      await expectSurvives(url, killMaster);
      expect(await isReplaced()).toBe(true);
    },
    2 * TIMEOUT_MS,
  );
});

describe("a URL", () => {
  test.each([
    "redis+sentinel://",
    "redis+sentinel:///?master=queue",
    "redis+sentinel://one:99999999",
    "redis+sentinel://one,,two",
    "redis+sentinel://one two",
    "redis+sentinel://user:%ZZ@one",
    "redis+sentinel://one/name",
    "redis+cluster://",
    "redis+other://one",
  ])("that says nothing we know is refused at once, and not repeated: %s", async (url) => {
    servers = await prepareRedisServers();
    const refused = untilReachable({ url }, () => {});
    await expect(refused).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(refused).rejects.not.toThrow(url);
  });

  test.each([
    ["redis://user:secret@host:1234/3", "host:1234"],
    ["/run/redis.sock", "/run/redis.sock"],
    ["redis+sentinel://user:secret@one:1,two:2/?master=x&sentinel_password=secret", "one:1,two:2"],
    ["user:secret@host", "redis.url"],
  ])("is told without its password: %s", async (url, place) => {
    servers = await prepareRedisServers();
    expect(placeOf(url)).toBe(place);
  });
});
