export * from "./layout.js";
export * from "./registry.js";
export * from "./sparse-tensor.js";
