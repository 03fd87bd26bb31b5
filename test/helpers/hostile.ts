import fc from "fast-check";
import { expect, inject, test } from "vitest";

/** How many inputs each property gets in an ordinary test run. `npm run fuzz` provides another number, and a seed. */
const INPUTS = 500;
const TIMEOUT_MS = 60_000;
const MEASURED = [2_000, 32_000] as const;
/** Sixteen times the input may take so many times as long: linear work needs 16, quadratic 256. */
const MAX_GROWTH = 64;
/** How often a machine that does much else besides may have got in the way. */
const TRIES = 5;
/** What a clock can tell from nothing. */
const LEAST_MS = 0.5;

declare module "vitest" {
  interface ProvidedContext {
    fuzz: { readonly inputs: number; readonly seed: number };
  }
}

/** Parameters for fast-check: one run an input, or one for each `batch` of them where a run takes so many. */
function runs(batch = 1): { numRuns: number; seed?: number } {
  const fuzz: { readonly inputs: number; readonly seed: number } | undefined = inject("fuzz");
  const numRuns = Math.ceil((fuzz?.inputs ?? INPUTS) / batch);
  return fuzz === undefined ? { numRuns } : { numRuns, seed: fuzz.seed };
}

/** A test that something holds for every input, and that no input has left a trace in all objects. */
export function forAll<T>(
  title: string,
  inputs: fc.Arbitrary<T>,
  holds: (input: T) => void | Promise<void>,
  { batch = 1 }: { batch?: number } = {},
): void {
  test(
    title,
    async () => {
      const before = everyObject();
      const property = fc.asyncProperty(inputs, async (input) => {
        await holds(input);
      });
      await fc.assert(property, runs(batch));
      expect(everyObject()).toEqual(before);
    },
    timeoutMs(),
  );
}

/** What every object has: an input that gets in here has changed all of them. */
function everyObject(): string[] {
  const roots: [string, object][] = [
    ["Object", Object.prototype],
    ["Array", Array.prototype],
    ["String", String.prototype],
    ["Function", Function.prototype],
  ];
  return roots.flatMap(([name, root]) => Reflect.ownKeys(root).map((key) => `${name} ${String(key)}`));
}

/** For a machine that does much else besides; as many inputs as somebody asked for take as long as they take. */
function timeoutMs(): number {
  const fuzz: object | undefined = inject("fuzz");
  return fuzz === undefined ? TIMEOUT_MS : 0;
}

/** A text that repeats something: the shape that makes a careless pattern take for ever. */
interface Pump {
  readonly start: string;
  readonly unit: string;
  readonly end: string;
}

/**
 * A test that work grows with its input and not faster, by the work on two sizes of the same shape. One try in
 * proportion is enough, as whatever else the machine does only adds to the time.
 */
export function forAllInProportion(title: string, pieces: fc.Arbitrary<string>, work: (text: string) => unknown): void {
  const unit = fc.array(pieces, { minLength: 1, maxLength: 3 }).map((all) => all.join(""));
  const edge = fc.array(pieces, { maxLength: 2 }).map((all) => all.join(""));
  const pumps = fc.record({ start: edge, unit: unit.filter((text) => text !== ""), end: edge });
  const inProportion = (pump: Pump) => {
    const [few = "", many = ""] = MEASURED.map((length) => pumped(pump, length));
    expect(Array.from({ length: TRIES }).some(() => isInProportion(work, few, many))).toBe(true);
  };
  forAll(title, pumps, inProportion, { batch: 20 });
}

function isInProportion(work: (text: string) => unknown, few: string, many: string): boolean {
  const manyMs = leastMs(work, many, 1);
  return manyMs <= MAX_GROWTH * LEAST_MS || manyMs <= MAX_GROWTH * leastMs(work, few, 3);
}

function pumped({ start, unit, end }: Pump, length: number): string {
  return start + unit.repeat(Math.ceil(length / unit.length)) + end;
}

/** The least time of a processor that this work has taken in so many tries: what else the machine does is not in it. */
export function leastMs(work: (text: string) => unknown, text: string, tries: number): number {
  const times = Array.from({ length: tries }, () => {
    const before = process.cpuUsage();
    work(text);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
}
