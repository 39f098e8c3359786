import type { Pass } from "../pass.js";
import { recognizeActivations } from "./activations.js";
import { foldBatchNorm } from "./batch-norm.js";
import { blocksForConvTranspose } from "./conv-transpose.js";
import { foldConstants } from "./fold-constants.js";
import { recognizeLayerNorm } from "./layer-norm.js";
import { keepQuantizedWeights } from "./quantized-weights.js";

/** All passes on graphs whose dimensions may be names, in the order in which they run. */
export const passes: readonly Pass[] = [
  keepQuantizedWeights,
  foldConstants,
  foldBatchNorm,
  blocksForConvTranspose,
  recognizeLayerNorm,
  recognizeActivations,
];
