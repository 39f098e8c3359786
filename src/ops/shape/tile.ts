import { NonzeroError } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, multiplyDims, unknownDims } from "./dims.js";
import { take } from "./move.js";

/** ONNX Tile: the input repeated repeats[i] times along axis i (NumPy's tile). */
export const tile: Operator<null> = {
  name: "Tile",
  domain: "",
  shapeInputs: [1],
  attributes: () => null,
  infer(inputs) {
    const { dtype, shape } = need(inputs, 0).type;
    const repeats = knownInts(need(inputs, 1));
    if (shape === null || repeats === undefined)
      return [{ dtype, shape: shape === null ? null : unknownDims(shape.length) }];
    checkRepeats(repeats, shape.length);
    return [{ dtype, shape: shape.map((dim, i) => multiplyDims([dim, repeats[i]!])) }];
  },
  evaluate(inputs) {
    let x = need(inputs, 0);
    const repeats = intsOf(need(inputs, 1));
    checkRepeats(repeats, x.shape.length);
    checkShape(x.shape.map((dim, i) => dim * repeats[i]!));
    repeats.forEach((count, axis) => {
      const dim = x.shape[axis]!;
      if (count === 1) return;
      x = take(
        x,
        axis,
        Array.from({ length: dim * count }, (_, i) => i % dim),
      );
    });
    return [x];
  },
};

function checkRepeats(repeats: readonly number[], rank: number): void {
  if (repeats.length !== rank || repeats.some((count) => count < 0))
    throw new NonzeroError("shape", `[${repeats}] are no repeats of ${rank} axes`, { field: "repeats" });
}
