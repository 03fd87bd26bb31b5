import { execa } from "execa";

/** Makes a named pipe: Node has no call for it. */
export async function mkfifo(path: string): Promise<void> {
  await execa("mkfifo", ["--", path]);
}
