import { speech } from "./speech/task.js";
import type { Task } from "./task.js";

export type { Score, Task } from "./task.js";

/** Every task, by name. */
export const TASKS: ReadonlyMap<string, Task> = new Map([speech].map((task) => [task.name, task]));
