import { readAnsi, type Segment } from "./ansi.ts";
import { cardLines } from "./cut.ts";

/** The last lines of a pane, in its colours as far as the bytes go. `about` = what it shows. */
export function Screen(props: { text: string; lines: number; bytes: number; about: string }) {
  const { text, lines, bytes, about } = props;
  return (
    <pre class="screen" role="img" aria-label={about}>
      <code>
        <Lines lines={cardLines(text, { lines, bytes })} />
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
        ...line.map(({ text, classes }) => (classes === "" ? text : <b class={classes}>{text}</b>)),
      ])}
    </>
  );
}
