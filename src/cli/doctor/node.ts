import { type Finding, ok, problem } from "./check.ts";
import { isAtLeast } from "./versions.ts";

/** The oldest Node.js that we run on; package.json says the same. */
export const OLDEST_NODE = [20, 19] as const;

/** The Node.js that runs us. */
export async function lookAtNode(): Promise<Finding[]> {
  const { node } = process.versions;
  const about = `Node.js ${node}`;
  return [
    isAtLeast(node, OLDEST_NODE) ? ok(about) : problem(about, `install Node.js ${OLDEST_NODE.join(".")} or newer`),
  ];
}
