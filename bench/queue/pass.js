/**
 * The least that a start has to do about an inbox: looks at each file of a folder and asks Redis about each once, whose
 * answer is "id". It loads no client, as the daemon's own is taken off too.
 *
 *     node pass.js FOLDER SOCKET PREFIX
 */
import { lstat, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";

const ANSWER = "$2\r\nid\r\n";

const [, , folder = "", socket = "", prefix = ""] = process.argv;
const names = await readdir(folder);
const stats = await Promise.all(names.map(async (name) => await lstat(join(folder, name))));
const redis = connect(socket).setEncoding("latin1");
redis.write(names.map((name) => `*2\r\n$3\r\nGET\r\n$${prefix.length + name.length}\r\n${prefix}${name}\r\n`).join(""));
const expected = ANSWER.repeat(stats.length);
let answers = "";
for await (const chunk of redis) {
  answers += chunk;
  if (!expected.startsWith(answers)) throw new Error("some files are not in Redis");
  if (answers.length === expected.length) break;
}
