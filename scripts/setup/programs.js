import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Failure } from "../failure.js";
import { runGently } from "../run.js";

/** What we need besides packages: any one of `programs`, or else what the package manager calls it. */
const NEEDED = [
  { programs: ["tmux"], apt: "tmux", brew: "tmux" },
  { programs: ["redis-server", "valkey-server"], apt: "redis-server", brew: "redis" },
];

/** What the tests of the pages need beside them. */
const BROWSER = {
  programs: ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
  apt: "chromium-headless-shell",
  brew: "chromium",
};

const APT_INSTALL = fileURLToPath(new URL("apt-install.sh", import.meta.url));

/** @param {{ browser: boolean }} options */
export async function installPrograms({ browser }) {
  const needed = browser ? [...NEEDED, BROWSER] : NEEDED;
  const missing = needed.filter(({ programs }) => !programs.some(isInstalled));
  if (missing.length === 0) return;
  if (isInstalled("apt-get")) return aptInstall(missing.map(({ apt }) => apt));
  if (isInstalled("brew")) return brewInstall(missing.map(({ brew }) => brew));
  const wanted = missing.map(({ programs }) => programs.join(" or "));
  throw new Failure(`ccl-queue needs programs that you would have to install: ${wanted.join(", ")}.`);
}

/** @param {string[]} packages */
async function aptInstall(packages) {
  const asRoot = await rootPrefix();
  if (!asRoot) throw new Failure(`ccl-queue needs ${packages.join(" and ")}. Please run:\n  ${aptCommand(packages)}`);
  console.error(`ccl-queue: installing ${packages.join(" and ")} (apt-get)`);
  const [command = "sh", ...args] = [...asRoot, "sh", APT_INSTALL, ...packages];
  await runGently(command, ...args);
}

/** @param {string[]} packages */
async function brewInstall(packages) {
  console.error(`ccl-queue: installing ${packages.join(" and ")} (brew)`);
  await runGently("brew", "install", ...packages);
}

/** What makes a command run as root without asking for a password; undefined where nothing does. */
async function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  if (!isInstalled("sudo")) return undefined;
  const allowed = await runGently("sudo", "-n", "true").then(
    () => true,
    () => false,
  );
  return allowed ? ["sudo", "-n"] : undefined;
}

/** @param {string[]} packages */
function aptCommand(packages) {
  const install = `apt-get install --yes ${packages.join(" ")}`;
  return isInstalled("sudo") ? `sudo apt-get update && sudo ${install}` : `su -c 'apt-get update && ${install}'`;
}

/** @param {string} program */
function isInstalled(program) {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.some((directory) => isExecutable(join(directory, program)));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
