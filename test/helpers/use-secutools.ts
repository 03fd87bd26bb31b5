import { inspect } from "node:util";
import { afterEach, expect } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { Secutools, type SecutoolsOptions } from "../../src/workers/secutools/client.ts";
import { type Answer, type HostilePlatform, startHostilePlatform } from "./hostile-platform.ts";

export const KEY = "sk-5ecret-key";
export const RETRY = { attempts: 3, baseMs: 1, maxMs: 5 };

export interface SecutoolsTools {
  platform(answer: Answer): Promise<HostilePlatform>;
  client(url: string, options?: Partial<SecutoolsOptions>): Secutools;
  /** What a promise was rejected with: an error of ours, in one short line, of which nothing shows the key. */
  failure(promise: Promise<unknown>): Promise<QueueError>;
}

/** Platforms and clients for the tests of a file, closed after each. */
export function useSecutools(): SecutoolsTools {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });
  return {
    platform: async (answer) => {
      const server = await startHostilePlatform(answer);
      open.push(server);
      return server;
    },
    client: (url, options = {}) => {
      const one = new Secutools({ url, apiKey: KEY, concurrency: 4, retry: RETRY, ...options });
      open.push(one);
      return one;
    },
    failure: async (promise) => {
      const error: unknown = await promise.then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(QueueError);
      if (!(error instanceof QueueError)) throw error;
      expect(inspect(error, { depth: null, showHidden: true })).not.toContain(KEY);
      expect(error.message.length).toBeLessThanOrEqual(200);
      expect(error.message).not.toMatch(/\p{C}/u);
      return error;
    },
  };
}
