import { describeJob, exitCodeOf, told } from "./job.ts";
import { complain, print, printJson } from "./output.ts";
import { type CommonOptions, readSettings, withSecutools } from "./settings.ts";

export interface ResultOptions extends CommonOptions {
  readonly wait?: true;
  /** In ms. */
  readonly timeout: number;
}

/** `ccl-delegate result`: what a job came to, its text alone. */
export async function result(id: string, { wait, timeout, ...options }: ResultOptions): Promise<number> {
  const settings = await readSettings(options);
  const times = { pollMs: settings.pollIntervalMs, timeoutMs: timeout };
  const answer = await withSecutools(settings, (client) =>
    wait ? client.waitForResult(id, times) : client.getJob(id),
  );
  const job = told(id, answer);
  if (options.json) await printJson(job);
  else if (job.status === "completed") await print(job.result ?? "");
  else complain(describeJob(job));
  return exitCodeOf(job);
}
