import { type Context, Hono } from "hono";
import { z } from "zod";
import type { Controls } from "../../control/controls.ts";
import type { TaskDraft } from "../../control/task-view.ts";
import { QueueError } from "../../core/errors.ts";
import { PRIORITIES } from "../../core/task.ts";
import type { Typed } from "./add-form.tsx";
import { setFlash } from "./flash.ts";
import { taskUrl } from "./parts.tsx";
import { troubleOf } from "./trouble.tsx";
import { counted } from "./words.ts";

type FormControls = Pick<Controls, "add" | "retry" | "retryAll" | "cancel" | "hold" | "resume">;
type ShowAgain = (context: Context, typed: Typed) => Promise<Response>;

/** See other: reloading the page that follows does nothing again. */
const SEE_OTHER = 303;
const text = z.string().catch("");
const addForm = z.object({ project: text, priority: text, text });

/** What the buttons and the form send. Each answers with a page to go to, which tells what was done. */
export function formRoutes(controls: FormControls, showAgain: ShowAgain): Hono {
  const routes = new Hono();
  routes.post("/tasks", async (context) => await addTask(context, controls, showAgain));
  routes.post("/tasks/retry-failed", async (context) => {
    const project = context.req.query("project") ?? null;
    return await act(context, "/tasks?state=failed", async () => {
      const tasks = await controls.retryAll(project);
      setFlash(context, "done", `${counted(tasks.length, "failed task")} put back into the inbox.`);
    });
  });
  routes.post("/tasks/:task/retry", async (context) => {
    const task = context.req.param("task");
    return await act(context, taskUrl(task), async () => {
      await controls.retry(task);
      setFlash(context, "done", "It was put back into the inbox, with fresh attempts.");
    });
  });
  routes.post("/tasks/:task/cancel", async (context) => {
    const task = context.req.param("task");
    return await act(context, taskUrl(task), async () => {
      const { path } = await controls.cancel(task);
      setFlash(context, "done", `It was cancelled; its file is ${path} now.`);
    });
  });
  routes.post("/hold", async (context) => {
    return await act(context, "/", async () => {
      await controls.hold(null);
      setFlash(context, "done", "The pool is held: what runs goes on, nothing more is launched.");
    });
  });
  routes.post("/resume", async (context) => {
    return await act(context, "/", async () => {
      await controls.resume();
      setFlash(context, "done", "The pool goes on.");
    });
  });
  return routes;
}

async function act(context: Context, next: string, action: () => Promise<void>): Promise<Response> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    const { code, text: what, hint } = troubleOf(error);
    setFlash(context, "error", [`${code}: ${what}.`, ...(hint === null ? [] : [hint])].join(" "));
  }
  return context.redirect(next, SEE_OTHER);
}

/** What cannot be added comes back in its form. */
async function addTask(context: Context, controls: FormControls, showAgain: ShowAgain): Promise<Response> {
  const typed = addForm.parse(await context.req.parseBody());
  const priority = PRIORITIES.find((known) => known === typed.priority);
  const draft: TaskDraft = {
    // Browsers send the lines of a form in the way of old networks.
    text: typed.text.replaceAll("\r\n", "\n"),
    ...(typed.project === "" ? {} : { project: typed.project }),
    ...(priority === undefined ? {} : { priority }),
  };
  try {
    const { task } = await controls.add(draft);
    setFlash(context, "done", `${task} was added.`, task);
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    return await showAgain(context, { ...typed, trouble: troubleOf(error) });
  }
  return context.redirect("/", SEE_OTHER);
}
