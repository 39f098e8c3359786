import type { Operator } from "../operator.js";
import { biasGelu } from "./bias-gelu.js";
import { dynamicQuantizeMatMul } from "./dynamic-quantize-mat-mul.js";
import { embedLayerNormalization } from "./embed-layer-normalization.js";
import { fastGelu } from "./fast-gelu.js";
import { fusedConv } from "./fused-conv.js";
import { fusedGemm } from "./fused-gemm.js";
import { fusedMatMul } from "./fused-mat-mul.js";
import { gatherBlockQuantized } from "./gather-block-quantized.js";
import { gelu } from "./gelu.js";
import { groupQueryAttention } from "./group-query-attention.js";
import { matMulIntegerToFloat } from "./mat-mul-integer-to-float.js";
import { matMulNBits } from "./mat-mul-n-bits.js";
import { multiHeadAttention } from "./multi-head-attention.js";
import { quickGelu } from "./quick-gelu.js";
import { rotaryEmbedding } from "./rotary-embedding.js";
import { simplifiedLayerNormalization, simplifiedLayerNormalizationInOnnx } from "./simplified-layer-normalization.js";
import { skipLayerNormalization } from "./skip-layer-normalization.js";
import { skipSimplifiedLayerNormalization } from "./skip-simplified-layer-normalization.js";

/** Operators of the com.microsoft domain that hub models hold. */
export const contribOperators: readonly Operator[] = [
  biasGelu,
  dynamicQuantizeMatMul,
  embedLayerNormalization,
  fastGelu,
  fusedConv,
  fusedGemm,
  fusedMatMul,
  gatherBlockQuantized,
  gelu,
  groupQueryAttention,
  matMulIntegerToFloat,
  matMulNBits,
  multiHeadAttention,
  quickGelu,
  rotaryEmbedding,
  simplifiedLayerNormalization,
  simplifiedLayerNormalizationInOnnx,
  skipLayerNormalization,
  skipSimplifiedLayerNormalization,
];
