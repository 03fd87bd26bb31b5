import type { Decision, Provider } from "../../core/route.ts";
import type { Priority } from "../../core/task.ts";
import { decide } from "../../router/decide.ts";
import { EXIT } from "./exit.ts";
import { complain, print, printJson } from "./output.ts";
import { type CommonOptions, readSettings, withSecutools } from "./settings.ts";
import { readTaskInput } from "./task-input.ts";

export interface SubmitOptions extends CommonOptions {
  readonly provider?: Provider;
  readonly priority?: Priority;
  readonly key?: string;
}

/** `ccl-delegate submit`: hands in a task, unless its header keeps it local. */
export async function submit(file: string, options: SubmitOptions): Promise<number> {
  const { header, prompt, project, name, key: ownKey } = await readTaskInput(file);
  const settings = await readSettings(options);
  const decision = options.provider === undefined ? decide(header, settings) : asked(options.provider);
  if (decision.route === "local") return await keepLocal(file, decision, options);
  const { route, provider, reason } = decision;
  const submission = {
    provider,
    priority: options.priority ?? header.priority,
    title: header.title ?? name.replace(/\.md$/, ""),
    prompt,
    tags: header.tags,
    metadata: { project, task: name },
  };
  const key = options.key ?? ownKey;
  const { id, status } = await withSecutools(settings, (client) => client.submitJob(submission, key));
  await (options.json ? printJson({ route, provider, reason, id, status, key }) : print(id));
  return EXIT.ok;
}

function asked(provider: Provider): Decision {
  return { route: "delegated", provider, reason: `--provider is ${provider}` };
}

async function keepLocal(file: string, { route, reason }: Decision, { json }: CommonOptions): Promise<number> {
  if (json) await printJson({ route, provider: null, reason, id: null, status: null, key: null });
  else complain(`${file} is not for delegation: ${reason}`);
  return EXIT.notForDelegation;
}
