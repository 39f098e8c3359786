import { fromMatrix, toMatrix } from "../layouts/index.js";
import type { Mask, Matrix } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import type { Weight } from "./weights.js";

/** A weight's values, dense: unpacked where it is sparse already. */
const denseWeight = ({ constant }: Weight): Tensor => (constant instanceof Tensor ? constant : constant.toDense());

/** A weight as its nodes see it: the matrix [outputs, inputs], in float32. */
export const weightMatrix = (weight: Weight): Matrix => toMatrix(denseWeight(weight), weight.perm);

/** A weight with +0 wherever the mask [outputs, inputs] has 0; what is kept stays bit for bit, whatever the dtype. */
export function maskWeight(weight: Weight, { rows, cols, data }: Mask): Tensor {
  const { dtype, shape, data: values } = denseWeight(weight);
  const kept = fromMatrix({ rows, cols, data: Float32Array.from(data) }, shape, weight.perm, "uint8").numbers();
  const masked = (values as Float32Array).slice();
  for (let i = 0; i < masked.length; i++) if (kept[i] === 0) masked[i] = 0;
  return new Tensor(dtype, shape, masked);
}

/** A weight with the values of a matrix [outputs, inputs], in its own dtype. */
export const mendWeight = ({ constant, perm }: Weight, values: Matrix): Tensor =>
  fromMatrix(values, constant.shape, perm, constant.dtype);
