import { type ErrorCode, isSystemError, messageOf, QueueError } from "./errors.ts";

const NO_SPACE = ["ENOSPC", "EDQUOT", "EFBIG"];
const NO_RIGHT = ["EACCES", "EPERM", "EROFS"];

/**
 * What a failed write into a directory is thrown on as: an error that names the directory, which Node's own often does
 * not, and says what to do. What has other causes stays as it is.
 */
export function writeTrouble(directory: string, error: unknown): unknown {
  if (isSystemError(error, ...NO_SPACE)) return trouble("DISK_FULL", "make space there", directory, error);
  if (isSystemError(error, ...NO_RIGHT))
    return trouble("NOT_WRITABLE", "let the daemon's user write", directory, error);
  return error;
}

function trouble(code: ErrorCode, what: string, directory: string, cause: NodeJS.ErrnoException): QueueError {
  // The reason without the path that it may end in: the same trouble of another run is no news.
  const [reason = ""] = messageOf(cause).split(", ");
  const hint = `${what}: nothing is lost, and it is tried again by itself`;
  return new QueueError(`${directory} cannot be written to: ${reason}`, { code, hint, cause });
}
