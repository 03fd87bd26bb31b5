import { createHash } from "node:crypto";
import type { Context } from "hono";
import { html, raw } from "hono/html";

export interface LoginPage {
  /** Where to go on afterwards. */
  readonly next: string;
  /** Why the last try failed. */
  readonly wrong: "token" | "limited" | null;
  /** Whether the browser asks for the page again by itself. */
  readonly isAskedAgain: boolean;
}

const STYLE = `
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
main { width: min(22rem, 100vw - 2rem); }
h1 { font-size: 1.25rem; }
label { display: block; font-weight: 600; }
input, button { box-sizing: border-box; width: 100%; padding: 0.6rem; font: inherit; border-radius: 0.4rem; }
input { margin: 0.25rem 0 1rem; border: 1px solid GrayText; background: Field; color: FieldText; }
button { border: 1px solid transparent; background: #1d4ed8; color: #fff; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid light-dark(#1d4ed8, #93c5fd); outline-offset: 2px; }
[role="alert"] { border-left: 0.25rem solid #dc2626; padding-left: 0.75rem; }
`;
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;

const STATUS = { token: 401, limited: 429 } as const;
const WRONG = {
  token: "That is not the token.",
  limited: "Too many wrong tokens came from here. Wait a minute, then try again.",
} as const;

/** The page that asks for the token. It needs no script and no other file. */
export async function showLogin(context: Context, { next, wrong, isAskedAgain }: LoginPage): Promise<Response> {
  const again = html`<meta http-equiv="refresh" content="0; url=/login?again&amp;next=${encodeURIComponent(next)}" />`;
  const alert = wrong === null ? "" : html`<p role="alert" id="wrong">${WRONG[wrong]}</p>`;
  context.header("content-security-policy", POLICY);
  if (wrong === "limited") context.header("retry-after", "60");
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
${isAskedAgain ? again : ""}
<title>Log in · ccl-queue</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<h1>ccl-queue</h1>
${alert}
<form method="post" action="/login">
<input type="hidden" name="next" value="${next}" />
<input name="user" value="ccl-queue" autocomplete="username" hidden />
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus${
    wrong === null ? "" : raw(' aria-invalid="true" aria-describedby="wrong"')
  } />
<button>Log in</button>
</form>
<p>It is the <code>CCL_QUEUE_TOKEN</code> that the daemon was started with.</p>
</main>
</body>
</html>
`;
  return context.html(page, wrong === null ? 200 : STATUS[wrong]);
}
