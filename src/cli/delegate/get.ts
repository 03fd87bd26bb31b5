import { EXIT } from "./exit.ts";
import { describeJob, type ToldJob, told } from "./job.ts";
import { complain, printJson, printTable } from "./output.ts";
import { type CommonOptions, readSettings, withSecutools } from "./settings.ts";

/** `ccl-delegate get`: how a job stands. */
export async function get(id: string, options: CommonOptions): Promise<number> {
  const settings = await readSettings(options);
  const job = told(id, await withSecutools(settings, (client) => client.getJob(id)));
  const isLost = job.status === "lost";
  if (options.json) await printJson(job);
  else if (isLost) complain(describeJob(job));
  else await printTable(tableOf(job));
  return isLost ? EXIT.jobFailed : EXIT.ok;
}

function tableOf({ id, status, provider, model, error, cost_usd, usage, created_at, finished_at }: ToldJob) {
  return {
    id,
    status,
    provider,
    model,
    created: created_at,
    finished: finished_at,
    tokens: usage === null ? null : `${usage.input_tokens} in, ${usage.output_tokens} out`,
    cost: cost_usd === null ? null : `$${cost_usd}`,
    error: error === null ? null : `${error.code}: ${error.message}`,
  };
}
