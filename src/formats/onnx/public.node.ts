/** `nonzero/onnx` in Node: what a page has, and files. */
export * from "./index.js";
export { readModelFile, type WriteFileOptions, writeModelFile } from "./node.js";
