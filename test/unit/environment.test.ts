import { homedir } from "node:os";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { childEnvironment, readEnvironment } from "../../src/config/environment.ts";
import { environmentWith } from "../helpers/environment.ts";

/** The variables that are read, and under which name each is known. */
const READ = {
  REDIS_URL: "redisUrl",
  SECUTOOLS_URL: "secutoolsUrl",
  SECUTOOLS_API_KEY: "secutoolsApiKey",
  CCL_QUEUE_TOKEN: "token",
  CCL_QUEUE_WEBHOOK_SECRET: "webhookSecret",
  CCL_QUEUE_CONFIG: "configFile",
};
const NOTHING = environmentWith({ home: homedir() });

beforeEach(() => {
  for (const name of Object.keys(READ)) vi.stubEnv(name, undefined);
});

describe("what is read from the environment", () => {
  test("is nothing but the home directory when nothing is set", () => {
    expect(readEnvironment()).toEqual(NOTHING);
  });

  test.each(Object.entries(READ))("%s is known as %s", (name, known) => {
    vi.stubEnv(name, "redis://db:6379");
    expect(readEnvironment()).toEqual({ ...NOTHING, [known]: "redis://db:6379" });
  });

  test.each(Object.keys(READ))("%s set to nothing, as compose files do, counts as not set", (name) => {
    vi.stubEnv(name, "");
    expect(readEnvironment()).toEqual(NOTHING);
  });
});

describe("what the daemon starts", () => {
  test.each(["REDIS_URL", "SECUTOOLS_API_KEY", "CCL_QUEUE_TOKEN", "CCL_QUEUE_WEBHOOK_SECRET", "TMUX", "TMUX_PANE"])(
    "does not inherit %s",
    (name) => {
      vi.stubEnv(name, "secret");
      const environment = childEnvironment();
      expect(environment).not.toHaveProperty(name);
      expect(Object.values(environment)).not.toContain("secret");
    },
  );

  test("inherits everything else", () => {
    vi.stubEnv("LANG", "de_DE.UTF-8");
    vi.stubEnv("MY_REDIS_URL", "kept");
    vi.stubEnv("EMPTY", "");
    expect(childEnvironment()).toMatchObject({ LANG: "de_DE.UTF-8", MY_REDIS_URL: "kept", EMPTY: "" });
  });

  test("gets what is added, over what is inherited", () => {
    vi.stubEnv("LANG", "de_DE.UTF-8");
    expect(childEnvironment({ LANG: "C", CLAUDE_CONFIG_DIR: "/x" })).toMatchObject({
      LANG: "C",
      CLAUDE_CONFIG_DIR: "/x",
    });
  });

  test("changes nothing for the daemon itself", () => {
    vi.stubEnv("REDIS_URL", "redis://db:6379");
    const environment = childEnvironment({ ADDED: "x" });
    environment["ADDED_LATER"] = "x";
    expect(process.env).toMatchObject({ REDIS_URL: "redis://db:6379" });
    expect(process.env).not.toHaveProperty("ADDED");
    expect(process.env).not.toHaveProperty("ADDED_LATER");
  });
});
