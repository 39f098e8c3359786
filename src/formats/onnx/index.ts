export type { DataFile, ExternalData } from "./external-data.js";
export { type ReadOptions, readModel, readTensor } from "./read.js";
export { type WriteOptions, writeModel } from "./write.js";
export type { SparseForm } from "./write-graph.js";
