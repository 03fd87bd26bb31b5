import { openRegular } from "../../ledger/regular-file.ts";

/** Far more than one message takes. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;
const LINE_END = 0x0a;

/**
 * The lines of a file that somebody else writes, from so many bytes on; none where there is no such file. What is longer
 * than any message is left out and never held.
 */
export async function* readLines(path: string, start = 0): AsyncGenerator<string> {
  const handle = await openRegular(path, "follow").catch(() => null);
  if (handle === null) return;
  let pieces: Buffer[] = [];
  let bytes = 0;
  const line = (last: Buffer) => {
    const whole = bytes + last.length > MAX_LINE_BYTES ? "" : Buffer.concat([...pieces, last]).toString();
    pieces = [];
    bytes = 0;
    return whole;
  };
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false, start })) {
      const read: Buffer = chunk;
      let from = 0;
      for (let end = read.indexOf(LINE_END); end >= 0; end = read.indexOf(LINE_END, from)) {
        yield line(read.subarray(from, end));
        from = end + 1;
      }
      bytes += read.length - from;
      if (bytes <= MAX_LINE_BYTES) pieces.push(read.subarray(from));
      else pieces = [];
    }
    yield line(Buffer.alloc(0));
  } finally {
    await handle.close();
  }
}
