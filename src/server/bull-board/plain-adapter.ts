import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";

type Job = NonNullable<Awaited<ReturnType<BullMQAdapter["getJob"]>>>;

const FRAME = /^ {4}at .*$/gm;

/** Shows of each job what concerns its task, and not where in our code it failed or how it is kept. */
export class PlainAdapter extends BullMQAdapter {
  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job === undefined ? undefined : plain(job);
  }

  override async getJobs(...asked: Parameters<BullMQAdapter["getJobs"]>): Promise<Job[]> {
    return (await super.getJobs(...asked)).map(plain);
  }
}

/** Read anew for each look, and never written back. */
function plain(job: Job): Job {
  job.stacktrace = (job.stacktrace ?? []).map((stack) =>
    stack
      .replace(FRAME, "")
      .replace(/^Error: /, "")
      .trim(),
  );
  delete job.deduplicationId;
  return job;
}
