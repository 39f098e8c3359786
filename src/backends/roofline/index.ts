export * from "./families.js";
export * from "./fit.js";
export * from "./machine.js";
export * from "./time.js";
