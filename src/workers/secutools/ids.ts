const JOB_ID = /^[A-Za-z0-9._:-]{1,128}$/;
/** In a path these lead elsewhere, and no quoting helps. */
const PATH_STEPS = [".", ".."];
/** What a header may hold. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Whether a text can be the id of a job on the platform. */
export function isJobId(text: string): boolean {
  return JOB_ID.test(text) && !PATH_STEPS.includes(text);
}

/** Whether a text can name a submission, so that it is the same one whenever it is made. */
export function isIdempotencyKey(text: string): boolean {
  return IDEMPOTENCY_KEY.test(text);
}
