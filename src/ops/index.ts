import { contribOperators } from "./contrib/index.js";
import { controlOperators } from "./control/index.js";
import { detectionOperators } from "./detection/index.js";
import { fusedOperators } from "./fused/index.js";
import { lossOperators } from "./loss/index.js";
import { mathOperators } from "./math/index.js";
import { nnOperators } from "./nn/index.js";
import { observe } from "./observe.js";
import { type Operator, operatorKey } from "./operator.js";
import { quantizeOperators } from "./quantize/index.js";
import { randomOperators } from "./random/index.js";
import { shapeOperators } from "./shape/index.js";
import { signalOperators } from "./signal/index.js";
import { sparseOperators } from "./sparse/index.js";
import { textOperators } from "./text/index.js";

export * from "./attributes.js";
export { dequantizeBlocks } from "./contrib/mat-mul-n-bits.js";
export { unpackBits } from "./contrib/packed-blocks.js";
export * from "./evaluate.js";
export { addObserver, observeName } from "./observe.js";
export * from "./operator.js";

/** Every operator, by `operatorKey`. */
export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    ...mathOperators,
    ...shapeOperators,
    ...nnOperators,
    ...contribOperators,
    ...fusedOperators,
    ...controlOperators,
    ...signalOperators,
    ...quantizeOperators,
    ...lossOperators,
    ...detectionOperators,
    ...randomOperators,
    ...textOperators,
    ...sparseOperators,
    observe,
  ].map((operator) => [operatorKey({ op: operator.name, domain: operator.domain }), operator]),
);
