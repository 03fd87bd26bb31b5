import { readAnsi, type Segment } from "./ansi.ts";

/** The last lines of a pane, in its colours; what is wider than its place is cut off. `about` = what it shows. */
export function Screen({ text, lines, about }: { text: string; lines: number; about: string }) {
  return (
    <pre class="screen" role="img" aria-label={about}>
      <code>
        <Lines lines={readAnsi(text).slice(-lines)} />
      </code>
    </pre>
  );
}

/** A whole pane, which can be scrolled, also by keys. */
export function WholeScreen({ text, about }: { text: string; about: string }) {
  return (
    <section class="whole" aria-label={about} tabindex={0}>
      <pre class="screen">
        <Lines lines={readAnsi(text)} />
      </pre>
    </section>
  );
}

function Lines({ lines }: { lines: readonly (readonly Segment[])[] }) {
  return (
    <>
      {lines.map((line, index) => [
        index === 0 ? "" : "\n",
        ...line.map(({ text, classes }) => (classes === "" ? text : <span class={classes}>{text}</span>)),
      ])}
    </>
  );
}
