export * from "./dtype.js";
export * from "./error.js";
export * from "./float16.js";
export * from "./shape.js";
export * from "./tensor.js";
