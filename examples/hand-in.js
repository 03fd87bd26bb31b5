// Hands in a task for each file that is named, to be done when nothing else waits:
//   node hand-in.js PROJECT FILE...
import { submit } from "ccl-queue";

const [project = ".", ...files] = process.argv.slice(2);

for (const file of files) {
  const text = `---\ntags: [review]\n---\nReview ${file}, and write what you find into ${file}.review.md.\n`;
  const { path } = await submit({ project, text, priority: "low" });
  console.log(path);
}
