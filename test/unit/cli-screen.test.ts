import { describe, expect, test, vi } from "vitest";
import { PLAIN, paintState, screenOf } from "../../src/cli/screen.ts";

const GREEN = "\u001B[32mok\u001B[39m";

/** What stdout is, as far as it matters here. */
function stream(isTTY: boolean, columns = 80): NodeJS.WriteStream {
  return Object.assign(Object.create(process.stdout), { isTTY, columns });
}

function colouredWith(environment: Record<string, string>, isTTY: boolean): boolean {
  for (const name of ["NO_COLOR", "FORCE_COLOR", "TERM", "CI"]) vi.stubEnv(name, environment[name] ?? "");
  const painted = paintState(screenOf(stream(isTTY)), "ok");
  expect(["ok", GREEN]).toContain(painted);
  return painted === GREEN;
}

describe("colours", () => {
  test.each([
    [{}, true, true],
    [{}, false, false],
    [{ CI: "true" }, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ TERM: "xterm-256color" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, false, false],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, false, true],
  ])("with %j, on a terminal: %s, are there: %s", (environment, isTTY, expected) => {
    expect(colouredWith(environment, isTTY)).toBe(expected);
  });

  test("are only for words that say how something stands", () => {
    expect(paintState(PLAIN, "failed")).toBe("failed");
    vi.stubEnv("FORCE_COLOR", "1");
    expect(paintState(screenOf(stream(false)), "constructor")).toBe("constructor");
  });
});

test("lines end where the terminal does, and nowhere in a file", () => {
  expect(screenOf(stream(true, 100)).columns).toBe(100);
  expect(screenOf(stream(true, 0)).columns).toBeNull();
  expect(screenOf(stream(false, 100)).columns).toBeNull();
});
