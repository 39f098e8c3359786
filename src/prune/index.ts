export { magnitude } from "./magnitude.js";
export { multiplyAddsOf } from "./multiply-adds.js";
export { constantNodesToConstants, replaceConstants } from "./replace.js";
export { type LayerSelection, selectLayers } from "./select-layers.js";
export * from "./sparsify.js";
export * from "./weight-norm.js";
export { type Weight, type WeightKind, weightsOf } from "./weights.js";
