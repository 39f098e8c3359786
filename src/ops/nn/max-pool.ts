import { sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { type PoolAttributes, planPool, poolAttributes, poolDims } from "./pool.js";

export interface MaxPoolAttributes extends PoolAttributes {
  /** 1 numbers the elements of a plane column-major in Indices. */
  readonly storageOrder: number;
}

/**
 * ONNX MaxPool: the largest element of each window of x [N, C, spatial…], padding left out; NaN wins. The second output,
 * int64, is where it lies in x flattened (the first of equals); storage_order = 1 counts the spatial axes column-major.
 */
export const maxPool: Operator<MaxPoolAttributes> = {
  name: "MaxPool",
  domain: "",
  attributes: (node) => ({ ...poolAttributes(node), storageOrder: node.int("storage_order", 0) }),
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    const pooled = poolDims(shape, a);
    return [
      { dtype, shape: pooled },
      { dtype: "int64", shape: pooled },
    ];
  },
  evaluate: (inputs, a) => {
    const x = need(inputs, 0);
    const { window, taps, planes, inputSize, outputSize, shape } = planPool(x, a);
    const { count, step, starts, out, input, length } = taps;
    const values = x.numbers();
    const best = numbersFor(x.dtype, sizeOf(shape)).fill(Number.NEGATIVE_INFINITY);
    const where = new Int32Array(best.length).fill(-1);
    for (let plane = 0; plane < planes; plane++) {
      for (let tap = 0; tap < count; tap++) {
        for (let run = starts[tap]!; run < starts[tap + 1]!; run++) {
          const to = plane * outputSize + out[run]!;
          const from = plane * inputSize + input[run]!;
          for (let i = 0; i < length[run]!; i++) {
            const v = values[from + i * step]!;
            if (v > best[to + i]! || where[to + i] === -1 || Number.isNaN(v)) {
              best[to + i] = v;
              where[to + i] = from + i * step;
            }
          }
        }
      }
    }
    if (a.storageOrder === 1) for (let i = 0; i < where.length; i++) where[i] = columnMajor(where[i]!, window.input);
    return [Tensor.from(x.dtype, shape, best), Tensor.from("int64", shape, where)];
  },
};

/** The flat index of the same element when the spatial axes `sizes` of each plane are laid out first axis fastest. */
function columnMajor(flat: number, sizes: readonly number[]): number {
  const planeSize = sizeOf(sizes);
  let rest = flat % planeSize;
  let index = 0;
  let before = planeSize;
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    before /= sizes[axis]!;
    index += (rest % sizes[axis]!) * before;
    rest = Math.floor(rest / sizes[axis]!);
  }
  return flat - (flat % planeSize) + index;
}
