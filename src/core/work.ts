/** Whether anybody works on a task. One that has only begun may be about to find that its file is claimed. */
export type Work = "none" | "begun" | "going on";
