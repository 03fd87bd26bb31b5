import fc from "fast-check";
import { describe, expect } from "vitest";
import { type Footer, isFooterOf, readFooter, renderFooter, stripFooter } from "../../src/ledger/footer.ts";
import { parseTask } from "../../src/ledger/parse-task.ts";
import { forAll, forAllInProportion } from "../helpers/hostile.ts";
import { piece, text } from "../helpers/hostile-inputs.ts";

const RUN = "kabcdefgh2-7";
const ROWS = "ccl-queue error route session provider model attempts duration tokens cost run finished".split(" ");

const figures = fc.double({ min: 0, max: 1e15, noNaN: true });
/** A footer whose words are all somebody else's. */
const footers: fc.Arbitrary<Footer> = fc.record(
  {
    result: fc.constantFrom("done", "failed", "rejected", "cancelled"),
    finishedAt: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("9999-12-31T00:00:00Z") }),
    error: fc.record({ code: fc.constant("RUN_API_ERROR"), message: text }),
    route: text,
    session: text,
    provider: text,
    model: text,
    attempts: fc.nat(),
    durationMs: figures,
    tokens: fc.record({ input: fc.nat(), output: fc.nat() }),
    costUsd: figures,
    text,
  },
  { requiredKeys: ["result", "finishedAt"] },
);
const count = (of: string, part: string) => of.split(part).length - 1;

describe("a footer below any text", () => {
  forAll("comes off again and leaves the text as it was", fc.tuple(text, footers), ([given, footer]) =>
    expect(stripFooter(given + renderFooter(footer))).toBe(given),
  );

  forAll("comes off a text in any encoding", fc.tuple(fc.uint8Array({ maxLength: 64 }), footers), ([given, footer]) => {
    const whole = Buffer.concat([given, Buffer.from(renderFooter(footer))]);
    expect(Buffer.from(stripFooter(whole.toString("latin1")), "latin1")).toEqual(Buffer.from(given));
  });

  forAll("says what we said, whatever the text and the agent say", fc.tuple(text, footers), ([given, footer]) => {
    const whole = given + renderFooter({ ...footer, run: RUN });
    const read = readFooter(whole);
    expect(read?.result).toBe(footer.result);
    expect(read?.rows.get("run")).toBe(RUN);
    expect(read?.rows.get("finished")).toBe(footer.finishedAt.toISOString());
    expect([...(read?.rows.keys() ?? [])].filter((name) => !ROWS.includes(name))).toEqual([]);
    expect(read?.rows.has("error")).toBe(footer.error !== undefined);
    expect(isFooterOf(whole, RUN)).toBe(true);
    expect(isFooterOf(whole, "kabcdefghi-1")).toBe(false);
  });

  forAll("names no run where it has none, whatever is said", fc.tuple(text, footers), ([given, footer]) => {
    const whole = given + renderFooter(footer);
    expect(readFooter(whole)?.rows.has("run")).toBe(false);
    expect(isFooterOf(whole, "kabcdefghi-1")).toBe(false);
  });

  forAll("gives back what the agent said, line by line", fc.tuple(text, footers), ([given, footer]) => {
    const said = readFooter(given + renderFooter(footer))?.text ?? null;
    const lines = footer.text?.trimEnd().split(/\r\n|\r|\n/) ?? null;
    expect(said).toBe(lines?.join("\n") ?? null);
  });

  forAll("keeps a task a task that can be put back", fc.tuple(text, footers), ([given, footer]) => {
    const task = parseTask(Buffer.from(given));
    const again = parseTask(Buffer.from(stripFooter(given) + renderFooter({ ...footer, run: RUN })));
    expect(again).toEqual(task.ok ? { ...task, earlier: { id: "kabcdefgh2", runs: 7 } } : task);
  });
});

describe("stripping", () => {
  forAll("takes off one footer at most and nothing else", text, (given) => {
    const stripped = stripFooter(given);
    expect(given.length - stripped.length).toBeGreaterThanOrEqual(0);
    expect(readFooter(given) === null).toBe(stripped === given);
  });

  forAll("comes to an end: what has no footer stays as it is", text, (given) => {
    let bare = given;
    for (let footers = count(given, "<!-- ccl-queue:footer -->"); footers > 0; footers -= 1) bare = stripFooter(bare);
    expect(stripFooter(bare)).toBe(bare);
  });
});

const LEAST: Footer = { result: "failed", finishedAt: new Date(0) };

forAllInProportion("a footer is found in a time in proportion to the text", piece, readFooter);
forAllInProportion("and comes off in such a time", piece, stripFooter);
forAllInProportion("and so is written, whatever is said", piece, (given) =>
  renderFooter({ ...LEAST, error: { code: "RUN_API_ERROR", message: given }, text: given }),
);
