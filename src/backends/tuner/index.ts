export { addEntries, entryOf, readEntries, type TuningCache } from "./cache.js";
export { storageCache } from "./cache-storage.js";
export { Choices, type Decision } from "./choices.js";
export { FormCache, type FormsOf, maskOfWeight, storedFor, type WeightUse } from "./stored-for.js";
export type { Task, TuneProgress, TuneResult, Workbench } from "./tune.js";
export type { TrialSession } from "./workbench.js";
