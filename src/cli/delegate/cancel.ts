import { EXIT } from "./exit.ts";
import { describeJob, told } from "./job.ts";
import { complain, print, printJson } from "./output.ts";
import { type CommonOptions, readSettings, withSecutools } from "./settings.ts";

/** `ccl-delegate cancel`: the platform takes a job back. One that is over stays as it is. */
export async function cancel(id: string, options: CommonOptions): Promise<number> {
  const settings = await readSettings(options);
  const cancelled = await withSecutools(settings, (client) => client.cancelJob(id));
  if (options.json) await printJson({ id, cancelled });
  else if (cancelled) await print(`cancelled ${id}`);
  else complain(describeJob(told(id, null)));
  return cancelled ? EXIT.ok : EXIT.jobFailed;
}
