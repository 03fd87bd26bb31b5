import { decide } from "../../router/decide.ts";
import { EXIT } from "./exit.ts";
import { printJson, printTable } from "./output.ts";
import { type CommonOptions, readSettings } from "./settings.ts";
import { readTaskInput } from "./task-input.ts";

/** `ccl-delegate decide`: what `submit` would do with a task, as far as its header goes. Asks nobody. */
export async function decideFile(file: string, options: CommonOptions): Promise<number> {
  const { header } = await readTaskInput(file);
  const decision = decide(header, await readSettings(options));
  const { route, reason } = decision;
  const provider = decision.route === "local" ? null : decision.provider;
  await (options.json ? printJson({ route, provider, reason }) : printTable({ route, provider, reason }));
  return EXIT.ok;
}
