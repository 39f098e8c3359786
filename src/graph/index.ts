export * from "./builder.js";
export * from "./graph.js";
