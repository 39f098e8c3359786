export { type BlockGrid, blockGrid, keptBlocks } from "./blocks.js";
export * from "./mask.js";
export * from "./parse.js";
export * from "./pattern.js";
export * from "./tightest.js";
