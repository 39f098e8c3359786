export * from "./mask.js";
export * from "./pattern.js";
