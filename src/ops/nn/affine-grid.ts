import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";

/**
 * ONNX AffineGrid: theta [N, r, r + 1] (r = 2 or 3) applied to the points of an output of `size` [N, C, D1 … Dr], for
 * GridSample: [N, D1 … Dr, r], coordinates innermost axis first. With align_corners −1 and 1 are the centers of the outermost
 * elements, otherwise their outer edges; an axis of one element has its point at 0.
 */
export const affineGrid: Operator<{ readonly alignCorners: boolean }> = {
  name: "AffineGrid",
  domain: "",
  attributes: (node) => ({ alignCorners: node.flag("align_corners") }),
  shapeInputs: [1],
  infer: (inputs) => {
    const { dtype } = need(inputs, 0).type;
    const size = knownInts(need(inputs, 1));
    return [{ dtype, shape: size === undefined ? null : [size[0]!, ...size.slice(2), size.length - 2] }];
  },
  evaluate: (inputs, { alignCorners }) => {
    const theta = need(inputs, 0);
    const size = intsOf(need(inputs, 1));
    const batch = size[0]!;
    const sizes = size.slice(2);
    const rank = sizes.length;
    const expected = [batch, rank, rank + 1];
    if (rank < 1 || theta.shape.length !== 3 || theta.shape.some((dim, i) => dim !== expected[i]))
      throw new NonzeroError("shape", `theta of shape [${theta.shape}] for size [${size}]`);
    const points = sizeOf(sizes);
    const matrix = theta.numbers();
    const result = numbersFor(theta.dtype, batch * points * rank);
    const point = new Float64Array(rank + 1).fill(1);
    for (let n = 0; n < batch; n++) {
      for (let p = 0; p < points; p++) {
        let rest = p;
        for (let axis = rank - 1; axis >= 0; axis--) {
          const i = rest % sizes[axis]!;
          rest = Math.floor(rest / sizes[axis]!);
          const steps = alignCorners ? sizes[axis]! - 1 : sizes[axis]!;
          point[rank - 1 - axis] = steps === 0 ? 0 : (2 * i + (alignCorners ? 0 : 1)) / steps - 1;
        }
        for (let row = 0; row < rank; row++) {
          let sum = 0;
          for (let k = 0; k <= rank; k++) sum += matrix[(n * rank + row) * (rank + 1) + k]! * point[k]!;
          result[(n * points + p) * rank + row] = sum;
        }
      }
    }
    return [Tensor.from(theta.dtype, [batch, ...sizes, rank], result)];
  },
};
