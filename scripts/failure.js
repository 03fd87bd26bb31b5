/** Ends a script with a message and an exit code, where a stack would tell the reader nothing. */
export class Failure extends Error {
  /** @param {string} message @param {number} [exitCode] */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Ends the process where the body fails. @template T @param {() => T | Promise<T>} body @returns {Promise<T>} */
export async function orExit(body) {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(error.message);
    process.exit(error.exitCode);
  }
}
