import { join } from "node:path";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import { type Daemon, runCommand, startDaemon } from "../helpers/daemon.ts";
import { prepareQueue, type QueueFixture } from "../helpers/queue-fixture.ts";
import { freePort, prepareRedisServers, type RedisServers } from "../helpers/redis-servers.ts";
import { until } from "../helpers/until.ts";

let servers: RedisServers;
let queue: QueueFixture;
const daemons: Daemon[] = [];

afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.signal("SIGKILL");
    await daemon.ended();
  }
  await queue.stop();
  await servers.stop();
});

/** A Redis that speaks TLS only, with a certificate of an authority that nobody knows. Returns that one's file. */
async function startSecure(): Promise<{ port: number; authority: string }> {
  servers = await prepareRedisServers();
  const file = (name: string) => join(servers.dir, name);
  const openssl = async (...args: string[]) => await execa("openssl", args, { cwd: servers.dir });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await openssl("req", "-x509", ...newKey, "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt");
  const name = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    ...name,
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-keyout",
    "r.key",
    "-out",
    "r.crt",
  );
  const port = await freePort();
  const tls = [`tls-port ${port}`, `tls-cert-file ${file("r.crt")}`, `tls-key-file ${file("r.key")}`];
  const lines = ["port 0", ...tls, `tls-ca-cert-file ${file("ca.crt")}`, "tls-auth-clients no"];
  await servers.start(lines, { port, cli: ["--tls", "--cacert", file("ca.crt")] });
  return { port, authority: file("ca.crt") };
}

test("a Redis with TLS is used where its authority is trusted, and nowhere else", async () => {
  queue = await prepareQueue({ sessions: 1 });
  const { port, authority } = await startSecure();
  const environment = { ...queue.environment, REDIS_URL: `rediss://127.0.0.1:${port}` };

  const distrusting = runCommand(["start", "--config", queue.configFile], environment);
  daemons.push(distrusting);
  await until("it does not reach it", () => distrusting.output().includes("REDIS_UNREACHABLE"));
  expect(distrusting.output()).not.toContain("watching ");
  distrusting.signal("SIGKILL");
  await distrusting.ended();

  daemons.push(await startDaemon(queue.configFile, { ...environment, NODE_EXTRA_CA_CERTS: authority }));
  await queue.drop("x.md", "agent: say through TLS\n");
  expect(await queue.settled("done", 1)).toEqual(["x.md"]);
});
