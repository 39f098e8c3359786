export { ConvInputAccumulator } from "./conv-input-statistics.js";
export { CrossAccumulator } from "./cross-accumulator.js";
export { centered, checkStatistics, InputAccumulator, type InputStatistics } from "./input-statistics.js";
