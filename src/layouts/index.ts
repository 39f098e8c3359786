export * from "./best.js";
export * from "./both-ways.js";
export * from "./compressed-tensors.js";
export * from "./convert.js";
export * from "./cutlass.js";
export * from "./layout.js";
export * from "./registry.js";
export { rowOrderOf } from "./shuffled-bsr.js";
export * from "./sparse-tensor.js";
