import { QueueError } from "../core/errors.ts";
import { EXIT, exitCodeOf } from "./exit.ts";
import { complain, printLines } from "./print.ts";

/**
 * Does something with each of several tasks, one after the other, and says what came of it. One that fails does not
 * stop the others. Returns the exit code: that of the first failure.
 * @throws {QueueError} when the daemon is gone, which it is for all of them
 */
export async function eachTask(tasks: readonly string[], command: (task: string) => Promise<string>): Promise<number> {
  let code: number = EXIT.ok;
  for (const task of tasks) {
    try {
      printLines([await command(task)]);
    } catch (error) {
      if (!(error instanceof QueueError) || exitCodeOf(error) === EXIT.noDaemon) throw error;
      complain(error);
      if (code === EXIT.ok) code = exitCodeOf(error);
    }
  }
  return code;
}
