export * from "./budget/index.js";
export * from "./calibration/index.js";
export { type CorrectedBiases, correctBiases } from "./correct-biases.js";
export { type CubicOptions, CubicSL } from "./cubic-sl.js";
export { LambdaSL } from "./lambda-sl.js";
export { type LayerPruner, type Needs, type PrunedLayer, relativeError } from "./layer-pruner.js";
export { type LayerReport, LayerSparsifier, type LayerSparsifierOptions } from "./layer-sparsifier.js";
export { magnitude } from "./magnitude.js";
export { weightMatrix } from "./mask-weight.js";
export { meanCorrection } from "./mean-correction.js";
export * from "./methods/index.js";
export { multiplyAddsOf } from "./multiply-adds.js";
export * from "./nearly-diagonal.js";
export type { CalibrationOptions } from "./prune-weights.js";
export { constantNodesToConstants, replaceConstants } from "./replace.js";
export { BaseScheduler, type PerGroup, type Schedulable } from "./scheduler.js";
export { type LayerSelection, selectLayers } from "./select-layers.js";
export {
  BaseSparsifier,
  type MaskUpdate,
  type SparsifierConfig,
  type SparsifierGroup,
  type SparsifierState,
} from "./sparsifier.js";
export * from "./sparsify.js";
export * from "./statistics/index.js";
export * from "./weight-norm.js";
export { type Weight, type WeightKind, weightsOf } from "./weights.js";
