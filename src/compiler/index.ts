export * from "./deliver.js";
export * from "./executor.js";
export { fuse } from "./fusion/index.js";
export { inferTypes } from "./infer-types.js";
export * from "./optimize.js";
export type { Pass } from "./pass.js";
export * from "./planner.js";
export * from "./reference.js";
export * from "./specialize.js";
