import type { Operator } from "../operator.js";
import { conv } from "./conv.js";
import { dynamicQuantizedLinear } from "./dynamic-quantized-linear.js";
import { elementwise } from "./elementwise.js";
import { linear } from "./linear.js";

/** Operators of the ai.nonzero domain that passes make by fusing ONNX's. */
export const fusedOperators: readonly Operator[] = [linear, dynamicQuantizedLinear, conv, elementwise];
