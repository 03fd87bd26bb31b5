import { z } from "zod";
import { holdView } from "../control/hold-view.ts";
import { cleanLine } from "./clean.ts";
import { daemonOf } from "./daemon-client.ts";
import { printLines } from "./print.ts";

/** What the pool waits for, null when for nothing. */
export const holdAnswer = z.object({ hold: holdView.nullable() });

/** `ccl-queue hold`: nothing more is launched here. What runs goes on. */
export async function hold(words: readonly string[], options: { config?: string }): Promise<void> {
  const { post } = await daemonOf(options.config);
  const message = words.join(" ").trim();
  const answer = await post("/api/hold", holdAnswer, { body: message === "" ? {} : { message } });
  const why = answer.hold === null ? "" : `: ${answer.hold.message}`;
  printLines([cleanLine(`held${why}`), "what runs goes on; ccl-queue resume ends it"]);
}
