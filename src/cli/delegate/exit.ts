/** What `ccl-delegate` ends with. `docs/ccl-delegate.md` lists the same, held equal by a test. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  notForDelegation: 3,
  jobFailed: 4,
  notFinished: 5,
} as const;
