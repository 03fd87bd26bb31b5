import { Failure } from "../failure.js";
import { manifest } from "../project.js";

export function checkNodeVersion() {
  const [major = 0, minor = 0] = numbers(process.versions.node);
  const [neededMajor = 0, neededMinor = 0] = numbers(manifest.engines.node);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return;
  throw new Failure(`ccl-queue needs Node.js ${neededMajor}.${neededMinor} or newer; this is ${process.version}.`);
}

/** @param {string} version */
const numbers = (version) => (version.match(/\d+/g) ?? []).map(Number);
