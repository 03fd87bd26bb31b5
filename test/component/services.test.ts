import { expect, test } from "vitest";
import type { Service } from "../../src/core/service.ts";
import { Services } from "../../src/core/services.ts";

/** A part that notes what is done with it. */
function part(name: string, notes: string[], changes: Partial<Service> = {}): Service {
  return {
    start: async () => void notes.push(`${name} starts`),
    stop: async () => void notes.push(`${name} stops`),
    ...changes,
  };
}

const never = async () => await new Promise<void>(() => {});

test("parts are started one after the other and stopped in reverse, once", async () => {
  const notes: string[] = [];
  const services = new Services();
  expect(services.areRunning).toBe(false);
  const first = part("a", notes);
  expect(await services.start(first)).toBe(first);
  await services.start(part("b", notes));
  expect(services.areRunning).toBe(true);
  await Promise.all([services.stop(), services.stop()]);
  await services.stop();
  expect(notes).toEqual(["a starts", "b starts", "b stops", "a stops"]);
  expect(services.areRunning).toBe(false);
});

test("a part that cannot start is not stopped, and those before it are", async () => {
  const notes: string[] = [];
  const services = new Services();
  await services.start(part("a", notes));
  const broken = part("b", notes, { start: async () => await Promise.reject(new Error("no port")) });
  await expect(services.start(broken)).rejects.toThrow("no port");
  await services.stop();
  expect(notes).toEqual(["a starts", "a stops"]);
});

test("a stop waits for what is starting, and lets nothing else start", async () => {
  const notes: string[] = [];
  const services = new Services();
  let letStart = () => {};
  const mayStart = new Promise<void>((resolve) => {
    letStart = resolve;
  });
  const starting = services.start(part("a", notes, { start: async () => await mayStart }));
  expect(services.stopping.aborted).toBe(false);
  const stopping = services.stop();
  expect(services.stopping.aborted).toBe(true);
  await expect(services.start(part("b", notes))).rejects.toThrow();
  expect(notes).toEqual([]);
  letStart();
  await Promise.all([starting, stopping]);
  expect(notes).toEqual(["a stops"]);
});

test("a part that never stops keeps nobody: those before it are still told to", async () => {
  const notes: string[] = [];
  const services = new Services();
  await services.start(part("a", notes));
  await services.start(part("b", notes, { stop: never }));
  await services.stop();
  expect(notes).toEqual(["a starts", "b starts", "a stops"]);
});
