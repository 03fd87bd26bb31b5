import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import { assetUrl } from "./assets.ts";
import type { Flash } from "./flash.ts";
import { taskUrl } from "./parts.tsx";
import { TroubleBar } from "./trouble.tsx";

/** What every page of the dashboard needs. */
export interface Frame {
  readonly workspace: string;
  readonly readOnly: boolean;
  /** Whether there is a login to end. */
  readonly login: boolean;
  readonly nowMs: number;
  /** What the last button did. */
  readonly flash: Flash | null;
}

const PLACES = [
  { url: "/", name: "Overview" },
  { url: "/tasks", name: "Tasks" },
  { url: "/queues", name: "Queues" },
] as const;

/** A whole page. `live` = where what changes on it comes from. */
export function Layout(props: { frame: Frame; title: string; place?: string; live?: string; children: Child }) {
  const { frame, title, place, live, children } = props;
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en" data-now={frame.nowMs} {...(live === undefined ? {} : { "data-live": live })}>
        <Head title={title} live={live !== undefined} />
        <body>
          <a class="skip" href="#main">
            Skip to the content
          </a>
          <Header frame={frame} place={place} live={live !== undefined} />
          <main id="main" tabindex={-1}>
            {frame.flash !== null && <FlashNote flash={frame.flash} />}
            {live !== undefined && <TroubleBar trouble={null} />}
            {children}
          </main>
        </body>
      </html>
    </>
  );
}

function Head({ title, live }: { title: string; live: boolean }) {
  return (
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{title}</title>
      <link rel="icon" href={assetUrl("icon.svg")} type="image/svg+xml" />
      <link rel="stylesheet" href={assetUrl("dashboard.css")} />
      <script type="module" src={assetUrl("dashboard.js")}></script>
      {live && <script type="module" src={assetUrl("live.js")}></script>}
    </head>
  );
}

function Header({ frame, place, live }: { frame: Frame; place: string | undefined; live: boolean }) {
  return (
    <header class="bar">
      <a class="mark" href="/">
        <i class="i mark-icon"></i>ccl-queue
      </a>
      <span class="workspace" title="workspace">
        <bdi>{frame.workspace}</bdi>
      </span>
      <nav aria-label="Pages">
        {PLACES.map(({ url, name }) => (
          <a href={url} {...(place === url ? { "aria-current": "page" } : {})}>
            {name}
          </a>
        ))}
      </nav>
      <span class="right">
        {frame.readOnly && <span class="badge quiet">read-only</span>}
        {live && <span id="stream" class="stream" role="status" hidden></span>}
        {frame.login && (
          <form method="post" action="/logout">
            <button type="submit" class="link">
              Log out
            </button>
          </form>
        )}
      </span>
    </header>
  );
}

function FlashNote({ flash }: { flash: Flash }) {
  return (
    <div class={`flash ${flash.kind}`} role="status">
      <i class={`i ${flash.kind === "done" ? "done" : "alert"}`}></i>
      <span>
        {flash.text} {flash.task !== null && <a href={taskUrl(flash.task)}>Show it</a>}
      </span>
    </div>
  );
}
