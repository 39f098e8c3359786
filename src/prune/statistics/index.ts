export { ConvInputAccumulator } from "./conv-input-statistics.js";
export { centered, checkStatistics, InputAccumulator, type InputStatistics } from "./input-statistics.js";
