import { describe, expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { endOf } from "../../src/workers/delegation/outcome.ts";
import type { RemoteJob } from "../../src/workers/secutools/client.ts";

const HOUR_MS = 3_600_000;
const MAX_AGE_MS = 24 * HOUR_MS;
const OLD_MS = MAX_AGE_MS + 1;

function job(status: RemoteJob["status"], error: RemoteJob["error"] = null): RemoteJob {
  return {
    ...{ id: "job-1", status, error, provider: "gpu", model: null, result: null, costUsd: null, usage: null },
    ...{ createdAt: null, finishedAt: null },
  };
}

describe("what an answer means for the task", () => {
  test.each(["queued", "running"] as const)("%s: it goes on, until its time is over", (status) => {
    expect(endOf(job(status), 0, MAX_AGE_MS)).toBeNull();
    expect(endOf(job(status), MAX_AGE_MS, MAX_AGE_MS)).toBeNull();
    expect(endOf(job(status), OLD_MS, MAX_AGE_MS)).toEqual({
      failure: { code: "SECUTOOLS_JOB_EXPIRED", message: "the platform did not finish it within 24 h" },
      job: job(status),
    });
  });

  test.each(["SECUTOOLS_BAD_ANSWER", "SECUTOOLS_REFUSED"] as const)(
    "%s, which tells nothing of it: it goes on, until its time is over",
    (code) => {
      const answer = new QueueError("secutools did not tell", { code });
      expect(endOf(answer, MAX_AGE_MS, MAX_AGE_MS)).toBeNull();
      expect(endOf(answer, OLD_MS, MAX_AGE_MS)).toEqual({
        failure: {
          code: "SECUTOOLS_JOB_EXPIRED",
          message: "the platform did not finish it within 24 h: secutools did not tell",
        },
        job: null,
      });
    },
  );

  test("completed: it is done, however late", () => {
    expect(endOf(job("completed"), 0, MAX_AGE_MS)).toEqual({ failure: null, job: job("completed") });
    expect(endOf(job("completed"), OLD_MS, MAX_AGE_MS)).toEqual({ failure: null, job: job("completed") });
  });

  test("failed: with the platform's reason, where it gives one", () => {
    const quota = job("failed", { code: "quota", message: "No credit left" });
    expect(endOf(quota, OLD_MS, MAX_AGE_MS)).toEqual({
      failure: { code: "SECUTOOLS_JOB_FAILED", message: "quota: No credit left" },
      job: quota,
    });
    expect(endOf(job("failed"), 0, MAX_AGE_MS)?.failure).toEqual({
      code: "SECUTOOLS_JOB_FAILED",
      message: "no reason given",
    });
  });

  test("cancelled: not by us, so it has failed", () => {
    expect(endOf(job("cancelled"), 0, MAX_AGE_MS)?.failure?.code).toBe("SECUTOOLS_JOB_CANCELLED");
  });

  test("that there is no such job: it is lost", () => {
    expect(endOf(null, 0, MAX_AGE_MS)).toEqual({
      failure: { code: "SECUTOOLS_JOB_LOST", message: "the platform no longer knows the task" },
      job: null,
    });
  });
});
