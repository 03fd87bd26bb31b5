import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import axe from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { onTestFinished } from "vitest";
import { z } from "zod";

/** The first is made for this, and takes half the time of the others. */
const PROGRAMS = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/** How long a page may take to show what a test waits for. */
const TIMEOUT_MS = 20_000;

const findings = z.array(
  z.object({ id: z.string(), impact: z.string().nullable(), nodes: z.array(z.object({ html: z.string() })) }),
);

/** A browser's page, and what it should have none of. */
export interface Sight {
  readonly page: Page;
  /** What the page complained of: errors in scripts, and what its policy or the server refused. */
  readonly complaints: string[];
  /** Requests to anybody but the server. */
  readonly foreign: string[];
}

/** One that is installed. */
export async function startBrowser(): Promise<Browser> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
  if (found === undefined) throw new Error(`none of ${PROGRAMS.join(", ")} is installed`);
  // Chromium's own sandbox needs rights that containers do not give; what is loaded here is ours.
  return await chromium.launch({ executablePath: found, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

/** A page of its own: nobody else's cookies, until the test is over. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Sight> {
  const context = await browser.newContext({ baseURL: url, ...options });
  onTestFinished(async () => await context.close());
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  const complaints: string[] = [];
  const foreign: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) foreign.push(request.url());
  });
  return { page, complaints, foreign };
}

/** What axe finds that keeps people out: `color-contrast: <a …>`. `accepted` = rules, each with the elements that may break it. */
export async function barriers(
  page: Page,
  accepted: readonly (readonly [rule: string, selector: string])[] = [],
): Promise<string[]> {
  // Through the debugger, which no policy of the page holds up.
  await page.evaluate(axe.source);
  const found: unknown = await page.evaluate(`axe.run({ elementRef: true }).then(({ violations }) =>
    violations.map(({ id, impact, nodes }) => ({
      ...{ id, impact },
      nodes: nodes.filter(({ element }) =>
        !${JSON.stringify(accepted)}.some(([rule, selector]) => rule === id && element.matches(selector)),
      ).map(({ html }) => ({ html })),
    })))`);
  return findings
    .parse(found)
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
