import type { Operator } from "../operator.js";
import { convInteger } from "./conv-integer.js";
import { dequantizeLinear } from "./dequantize-linear.js";
import { dynamicQuantizeLinear } from "./dynamic-quantize-linear.js";
import { matMulInteger } from "./mat-mul-integer.js";
import { qLinearConv } from "./q-linear-conv.js";
import { qLinearMatMul } from "./q-linear-mat-mul.js";
import { quantizeLinear } from "./quantize-linear.js";

/** Quantized arithmetic. */
export const quantizeOperators: readonly Operator[] = [
  convInteger,
  dequantizeLinear,
  dynamicQuantizeLinear,
  matMulInteger,
  qLinearConv,
  qLinearMatMul,
  quantizeLinear,
];
