// The queue as a part of another program, for as long as one task takes:
//   node embedded.js ccl-queue.yaml PROJECT "What is to be done."
import { createApp, submit } from "ccl-queue";

const [config = "ccl-queue.yaml", project = ".", text = "Say hello."] = process.argv.slice(2);

const { name } = await submit({ project, text });

/** @type {(isDone: boolean) => void} */
let end;
/** @type {Promise<boolean>} */
const ended = new Promise((resolve) => {
  end = resolve;
});
const app = await createApp({
  config,
  onEvent: ({ type, task }) => {
    if (task.name !== name) return;
    console.log(type);
    if (type === "done" || type === "failed") end(type === "done");
  },
});

await app.start();
process.exitCode = (await ended) ? 0 : 1;
await app.stop();
