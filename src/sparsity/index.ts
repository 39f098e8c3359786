export * from "./blocks.js";
export * from "./mask.js";
export * from "./pattern.js";
