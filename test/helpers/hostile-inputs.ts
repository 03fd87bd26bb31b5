import fc from "fast-check";

const ESC = "\u001b";

/** What means something to one of our readers, to a shell, to a terminal or to a browser. */
const PIECES = [
  ...["---\n", "\n---\n", "---js\n", "---javascript\n", "--- coffee\n", "\n", "\r\n", "\r", "\n\n", " ", "\t", "  "],
  ...["<!-- ccl-queue:footer -->", "\n<!-- ccl-queue:footer -->\n", "\n<!-- /ccl-queue:footer -->\n"],
  ...["<!-- /ccl-queue:footer -->", "\n| run | kabcdefghi-1 |\n", "| ccl-queue | done |", "| ", " |", "\\|", "|"],
  ...["title: a\n", "priority: critical\n", "tags: [a]\n", "timeout: 1h\n", "needs_claude_code: maybe\n", "<<: *a\n"],
  ...["__proto__", "constructor", "prototype", "toString", "__proto__: { polluted: true }\n", "? ", "- ", ": ", "&a "],
  ...["*a ", "!!set ", "!!omap ", "!!binary ", "!!js/function ", "%YAML 1.1\n", "...\n", "|-\n", ">\n", "# ", "[", "]"],
  ...["{", "}", '"', "'", "`", "$(touch executed)", "; touch executed; ", "../", "/etc/passwd", "-rf", "\\", "%00"],
  ...["\0", "\u0007", "\u0008", "\u007f", "\u0085", "\u009b31m", "\u2028", "\u2029", "\uFEFF", "\u202e", "\u2066"],
  ...[
    "\u200b",
    "\u200f",
    "\u200d",
    "\ud800",
    "\udc00",
    "🙂",
    "👩‍👩‍👧",
    "東京",
    "e\u0301",
    "ﷺ",
    "0",
    "1",
    "9",
    ";",
    ":",
    ",",
  ],
  ...[ESC, `${ESC}[`, `${ESC}[31m`, `${ESC}[38;5;`, `${ESC}[38:2::1:2:3m`, `${ESC}]0;`, `${ESC}P`, `${ESC}\\`, "m"],
  ...["<script>alert(1)</script>", '<img src=x onerror="alert(1)">', "</pre>", "&lt;", "&#60;", "javascript:"],
  ...["resets 11:25pm (UTC)", "resets Nov 24, 9am (UTC)", "[run kabcdefghi-1]", '{"type":"assistant"', "1e999", "-0"],
];

/** Something that means something somewhere, or any few characters. */
export const piece = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 8 }) },
  {
    weight: 1,
    arbitrary: fc.array(fc.nat({ max: 0xffff }), { maxLength: 4 }).map((codes) => codes.map(utf16).join("")),
  },
);

/** A text that somebody wrote who wishes us ill. */
export const text = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(""));

/** The same as a file in UTF-8 can hold it. */
export const written = text.map((it) => Buffer.from(it).toString());

/** The same on one line. */
export const line = written.map((it) => it.replaceAll(/[\r\n]/g, ""));

/** Bytes that are mostly text. */
export const bytes = fc.oneof(
  { weight: 6, arbitrary: text.map((it) => Buffer.from(it)) },
  { weight: 1, arbitrary: text.map((it) => Buffer.from(it, "utf16le")) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((it) => Buffer.from(it)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(text, fc.uint8Array({ maxLength: 3 }), fc.nat())
      .map(([it, noise, at]) => spliced(Buffer.from(it), Buffer.from(noise), at)),
  },
);

const number = fc.oneof(
  fc.constantFrom(0, -0, -1, 0.5, 1e308, -1e308, 2 ** 53, 8.64e15, 8.64e15 + 1, 1_795_233_898),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
);
const leaf = fc.oneof(text, number, fc.boolean(), fc.constant(null), fc.constantFrom([], {}));
const key = fc.oneof(fc.constantFrom("__proto__", "constructor", "toJSON", "then", "length", ""), text);

/** Any value that JSON can hold, with the keys that every object has among its own. */
export const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }).map(ownKeys) },
  ),
})).value;

/** Somebody's object as JSON: each of its values may be another, or missing, and others may be added. */
export function jsonLike(example: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<string> {
  const entries = Object.entries(example).map(([name, good]) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.tuple(fc.constant(name), good) },
      { weight: 1, arbitrary: fc.tuple(fc.constant(name), json) },
      { weight: 1, arbitrary: fc.constant(null) },
    ),
  );
  const more = fc.array(fc.tuple(key, json), { maxLength: 2 });
  const whole = fc
    .tuple(fc.tuple(...entries), more)
    .map(([given, added]) => JSON.stringify(ownKeys([...given.filter((entry) => entry !== null), ...added])));
  return fc.oneof(
    { weight: 10, arbitrary: whole },
    { weight: 1, arbitrary: fc.tuple(whole, fc.nat()).map(([it, at]) => it.slice(0, at % (it.length + 1))) },
    { weight: 1, arbitrary: fc.tuple(whole, text, fc.nat()).map(([it, noise, at]) => insert(it, noise, at)) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.constantFrom("[", '{"a":'), fc.nat({ max: 4_000 })).map(([it, n]) => it.repeat(n)),
    },
    { weight: 1, arbitrary: json.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: text },
  );
}

/** An object with exactly these keys of its own, `__proto__` among them. */
function ownKeys(entries: readonly (readonly [string, unknown])[]): object {
  return Object.fromEntries(entries);
}

function utf16(code: number): string {
  return String.fromCharCode(code);
}

function insert(into: string, noise: string, at: number): string {
  const index = at % (into.length + 1);
  return into.slice(0, index) + noise + into.slice(index);
}

function spliced(into: Buffer, noise: Buffer, at: number): Buffer {
  const index = at % (into.length + 1);
  return Buffer.concat([into.subarray(0, index), noise, into.subarray(index)]);
}
