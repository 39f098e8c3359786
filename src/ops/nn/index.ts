import type { Operator } from "../operator.js";
import { affineGrid } from "./affine-grid.js";
import { attention } from "./attention.js";
import { averagePool } from "./average-pool.js";
import { batchNormalization } from "./batch-normalization.js";
import { conv } from "./conv.js";
import { convTranspose } from "./conv-transpose.js";
import { deformConv } from "./deform-conv.js";
import { globalAveragePool } from "./global-average-pool.js";
import { globalLpPool } from "./global-lp-pool.js";
import { globalMaxPool } from "./global-max-pool.js";
import { gridSample } from "./grid-sample.js";
import { groupNormalization } from "./group-normalization.js";
import { gru } from "./gru.js";
import { instanceNormalization } from "./instance-normalization.js";
import { layerNormalization } from "./layer-normalization.js";
import { lpNormalization } from "./lp-normalization.js";
import { lpPool } from "./lp-pool.js";
import { lrn } from "./lrn.js";
import { lstm } from "./lstm.js";
import { maxPool } from "./max-pool.js";
import { maxUnpool } from "./max-unpool.js";
import { meanVarianceNormalization } from "./mean-variance-normalization.js";
import { resize } from "./resize.js";
import { rmsNormalization } from "./rms-normalization.js";
import { rnn } from "./rnn.js";
import { rotaryEmbeddingOperator } from "./rotary-embedding.js";
import { upsample } from "./upsample.js";

/** Convolutions, pooling, normalizations, recurrent layers, attention. */
export const nnOperators: readonly Operator[] = [
  rotaryEmbeddingOperator,
  gridSample,
  deformConv,
  attention,
  affineGrid,
  averagePool,
  batchNormalization,
  conv,
  convTranspose,
  globalAveragePool,
  globalLpPool,
  globalMaxPool,
  groupNormalization,
  gru,
  instanceNormalization,
  layerNormalization,
  lpNormalization,
  lpPool,
  lrn,
  lstm,
  maxPool,
  maxUnpool,
  meanVarianceNormalization,
  resize,
  rmsNormalization,
  rnn,
  upsample,
];
