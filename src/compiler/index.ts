export * from "./executor.js";
export * from "./planner.js";
export * from "./reference.js";
export * from "./specialize.js";
