import { describe, expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { socketPath } from "../../src/core/socket-path.ts";

/** What the systems that allow least take, less the final NUL. */
const MAX_BYTES = 103;
const NAME = "daemon.sock";

/** A state directory with which the socket's path has so many bytes. */
const stateDir = (bytes: number) => `/${"x".repeat(bytes - NAME.length - 2)}`;

function errorOf(dir: string): QueueError | null {
  try {
    socketPath(dir, NAME);
    return null;
  } catch (error) {
    if (error instanceof QueueError) return error;
    throw error;
  }
}

describe("a socket in the state directory", () => {
  test("has a path of at most 103 bytes", () => {
    expect(socketPath(stateDir(MAX_BYTES), NAME)).toBe(`${stateDir(MAX_BYTES)}/${NAME}`);
    expect(errorOf(stateDir(MAX_BYTES + 1))?.code).toBe("STATE_DIR_TOO_LONG");
  });

  test("is measured in bytes, not in characters", () => {
    const dir = `/${"ü".repeat(60)}`;
    expect(errorOf(dir)?.code).toBe("STATE_DIR_TOO_LONG");
  });

  test("that is too long comes with the longest directory that would do", () => {
    const hint = errorOf(stateDir(200))?.hint ?? "";
    const [bytes] = /\d+/.exec(hint) ?? [];
    expect(hint).toMatch(/^set state_dir to a path of at most \d+ bytes$/);
    expect(errorOf(`/${"x".repeat(Number(bytes) - 1)}`)).toBeNull();
    expect(errorOf(`/${"x".repeat(Number(bytes))}`)).not.toBeNull();
  });
});
