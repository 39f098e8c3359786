export { type BlockGrid, blockGrid, keptBlocks } from "./blocks.js";
export * from "./both-ways.js";
export * from "./mask.js";
export * from "./parse.js";
export * from "./pattern.js";
export { shuffledOrder } from "./shuffled-block.js";
export { boseNelson, type Comparator } from "./sorting-network.js";
export * from "./tightest.js";
