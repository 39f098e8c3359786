export type { DataFile, ExternalData } from "./external-data.js";
export { type ReadOptions, readModel, readTensor } from "./read.js";
