import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { configSchema, NOTIFY_EVENTS } from "../../src/config/schema.ts";
import { notification } from "../../src/notify/notification.ts";

const PAGE = readFileSync(new URL("../../docs/notifications.md", import.meta.url), "utf8");
const SECRET = "a secret of both";

/** What is fenced as code of a language, in order. */
function code(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, text = ""]) => text);
}

/** What stands in backticks in the first cell of each row of the table below a header. */
function firstCells(header: string): string[] {
  const [, table = ""] = new RegExp(`^\\| ${header} \\|.*\n\\|[-|]+\\|\n((?:\\|.*\n)+)`, "m").exec(PAGE) ?? [];
  const cells = table.split("\n").map((line) => line.split("|")[1] ?? "");
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
}

const node = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  anyOf: z.array(z.unknown()).optional(),
});

function fieldsOf(schema: unknown, name = ""): string[] {
  const { properties = {}, anyOf = [] } = node.parse(schema);
  const below = Object.entries(properties).flatMap(([key, value]) => {
    const field = name === "" ? key : `${name}.${key}`;
    return [field, ...fieldsOf(value, field)];
  });
  return [...below, ...anyOf.flatMap((one) => fieldsOf(one, name))];
}

describe("the page", () => {
  test("has each event and each field, and no other", () => {
    expect(firstCells("event")).toEqual([...NOTIFY_EVENTS]);
    expect(firstCells("field")).toEqual(fieldsOf(z.toJSONSchema(notification)));
  });

  test("has each header that is sent", () => {
    const source = readFileSync(new URL("../../src/notify/webhook.ts", import.meta.url), "utf8");
    const sent = [...source.matchAll(/^ {6}"([a-z-]+)":/gm)].map(([, name]) => name);
    expect(sent).not.toEqual([]);
    expect(firstCells("header")).toEqual(sent);
  });

  test("shows a notification as it is sent", () => {
    const shown: unknown = JSON.parse(code("json").join());
    expect(notification.parse(shown)).toEqual(shown);
  });

  test("shows configurations that are taken, the default of notify.on among them", () => {
    const [first, ...others] = code("yaml").map((text) =>
      configSchema.parse({ ...parse(text), dispatcher: { projects_dir: "/p" } }),
    );
    expect(others.map(({ notify }) => notify.command?.[0])).toEqual(["sh"]);
    expect(first?.notify.on).toEqual(configSchema.parse({ dispatcher: { projects_dir: "/p" } }).notify.on);
  });
});

describe("the check of a signature, in Node.js", () => {
  const body = JSON.stringify({ text: "ümlaut" });
  const nowS = 1_772_600_767;
  const sign = (timestamp: number | string, key = SECRET) =>
    `sha256=${createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex")}`;
  const given = (timestamp: number | string, signature: string) => ({
    "x-ccl-queue-timestamp": String(timestamp),
    "x-ccl-queue-signature": signature,
  });

  test.each<[string, boolean, object, string]>([
    ["takes what is right", true, given(nowS, sign(nowS)), body],
    ["takes what is a little old", true, given(nowS - 299, sign(nowS - 299)), body],
    ["refuses what is too old", false, given(nowS - 301, sign(nowS - 301)), body],
    ["refuses a signature of another time", false, given(nowS, sign(nowS - 1)), body],
    ["refuses one with another key", false, given(nowS, sign(nowS, "other")), body],
    ["refuses one of another body", false, given(nowS, sign(nowS)), `${body} `],
    ["refuses no time", false, given("", sign("")), body],
    ["refuses a time that is none", false, given("soon", sign("soon")), body],
    ["refuses one that is cut", false, given(nowS, sign(nowS).slice(0, 20)), body],
    ["refuses what has no signature", false, {}, body],
  ])("%s", async (_what, isRight, headers, text) => {
    const dir = mkdtempSync(join(tmpdir(), "notify-docs-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const call = `isGenuine(${JSON.stringify(headers)}, ${JSON.stringify(text)}, "${SECRET}", ${nowS * 1_000})`;
    writeFileSync(join(dir, "check.mjs"), `${code("js").join()}\nconsole.log(${call});\n`);
    expect((await execa(process.execPath, [join(dir, "check.mjs")])).stdout).toBe(String(isRight));
  });
});
