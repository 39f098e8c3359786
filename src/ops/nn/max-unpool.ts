import type { Dim } from "../../graph/index.js";
import { allocate, NonzeroError, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { addDim, multiplyDim } from "./dims.js";
import { type PoolAttributes, poolAttributes } from "./pool.js";
import { perAxis } from "./window.js";

/** The size that a pooling with these attributes would have shrunk to x's: (in − 1)·stride − pads + kernel. */
function unpooledDims(x: readonly Dim[], a: PoolAttributes): Dim[] {
  const rank = x.length - 2;
  const kernel = perAxis(a.kernelShape, rank, 1, "kernel_shape");
  const strides = perAxis(a.strides, rank, 1, "strides");
  const pads = perAxis(a.pads, 2 * rank, 0, "pads");
  return x.map((dim, axis) => {
    const s = axis - 2;
    if (s < 0) return dim;
    return addDim(multiplyDim(dim, strides[s]!), kernel[s]! - strides[s]! - pads[s]! - pads[rank + s]!);
  });
}

/**
 * ONNX MaxUnpool: zeros with x's elements [N, C, spatial…] put where MaxPool's Indices say (positions in the flattened
 * shape that the attributes imply). The third input, output_shape, makes the result larger at the ends.
 */
export const maxUnpool: Operator<PoolAttributes> = {
  name: "MaxUnpool",
  domain: "",
  attributes: poolAttributes,
  shapeInputs: [2],
  infer: (inputs, a) => {
    const { dtype, shape } = need(inputs, 0).type;
    if (inputs[2] != null) return [{ dtype, shape: knownInts(inputs[2]) ?? null }];
    return [{ dtype, shape: shape === null ? null : unpooledDims(shape, a) }];
  },
  evaluate: (inputs, a) => {
    const [x, indices] = [need(inputs, 0), need(inputs, 1)];
    if (indices.size !== x.size)
      throw new NonzeroError("shape", `indices of shape [${indices.shape}] for x of shape [${x.shape}]`);
    const inferred = unpooledDims(x.shape, a) as number[];
    const shape = inputs[2] == null ? inferred : intsOf(inputs[2]);
    if (shape.length !== inferred.length)
      throw new NonzeroError("shape", `output_shape [${shape}] for x of shape [${x.shape}]`);
    const data = allocate(x.dtype, sizeOf(shape));
    const from = stridesOf(inferred);
    const to = stridesOf(shape);
    const limit = sizeOf(inferred);
    const positions = indices.numbers();
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i]!;
      if (!(position >= 0 && position < limit))
        throw new NonzeroError("shape", `index ${position} is outside the ${limit} elements of [${inferred}]`);
      let at = 0;
      let fits = true;
      for (let axis = 0; axis < shape.length; axis++) {
        const coordinate = Math.floor(position / from[axis]!) % inferred[axis]!;
        fits &&= coordinate < shape[axis]!;
        at += coordinate * to[axis]!;
      }
      if (fits) data[at] = x.data[i] as never;
    }
    return [new Tensor(x.dtype, shape, data)];
  },
};
