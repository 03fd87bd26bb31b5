import { expect, test } from "vitest";
import { QueueError } from "../../src/core/errors.ts";
import { writeTrouble } from "../../src/core/write-trouble.ts";

const failed = (code: string, message: string) => Object.assign(new Error(message), { code });

test.each([
  ["ENOSPC", "DISK_FULL", "make space there"],
  ["EDQUOT", "DISK_FULL", "make space there"],
  ["EFBIG", "DISK_FULL", "make space there"],
  ["EACCES", "NOT_WRITABLE", "let the daemon's user write"],
  ["EPERM", "NOT_WRITABLE", "let the daemon's user write"],
  ["EROFS", "NOT_WRITABLE", "let the daemon's user write"],
])("%s is %s: where it was, and what to do", (code, ours, hint) => {
  const cause = failed(code, `${code}: it cannot be done, open '/srv/site/.run-1.draft'`);
  const error = writeTrouble("/srv/site", cause);
  expect(error).toBeInstanceOf(QueueError);
  expect(error).toMatchObject({
    code: ours,
    message: `/srv/site cannot be written to: ${code}: it cannot be done`,
    hint: `${hint}: nothing is lost, and it is tried again by itself`,
    cause,
  });
});

test.each([[failed("ENOENT", "ENOENT: it is not there")], [new Error("ENOSPC")], ["ENOSPC"]])(
  "what has other causes stays as it is: %s",
  (error) => {
    expect(writeTrouble("/srv/site", error)).toBe(error);
  },
);
