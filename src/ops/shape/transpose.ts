import { NonzeroError } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { permute } from "./move.js";

interface TransposeAttributes {
  /** Null reverses the axes. */
  readonly perm: readonly number[] | null;
}

/** ONNX Transpose: output axis i is input axis perm[i]. */
export const transpose: Operator<TransposeAttributes> = {
  name: "Transpose",
  domain: "",
  attributes: (node) => ({ perm: node.optional("perm", "ints") ?? null }),
  infer(inputs, { perm }) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    return [{ dtype, shape: permutation(perm, shape.length).map((axis) => shape[axis]!) }];
  },
  evaluate(inputs, { perm }) {
    const x = need(inputs, 0);
    return [permute(x, permutation(perm, x.shape.length))];
  },
};

function permutation(perm: readonly number[] | null, rank: number): readonly number[] {
  if (perm === null) return Array.from({ length: rank }, (_, i) => rank - 1 - i);
  const axes = perm.map((axis) => (axis < 0 ? axis + rank : axis));
  if (axes.length !== rank || axes.toSorted((a, b) => a - b).some((axis, i) => axis !== i)) {
    throw new NonzeroError("shape", `[${perm}] does not permute ${rank} axes`, { field: "perm" });
  }
  return axes;
}
