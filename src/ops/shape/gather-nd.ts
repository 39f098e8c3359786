import type { Dim } from "../../graph/index.js";
import { NonzeroError, sizeOf, stridesOf, type Tensor } from "../../tensor/index.js";
import { need, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { normalizeIndex } from "./dims.js";
import { copyRun, fromSlots, newSlots, slotsOf } from "./move.js";

interface GatherNDAttributes {
  /** From opset 12. */
  readonly batchDims: number;
}

/** ONNX GatherND: the last axis of `indices` holds coordinates of slices of the data; the first `batch_dims` axes are shared. */
export const gatherND: Operator<GatherNDAttributes> = {
  name: "GatherND",
  domain: "",
  attributes(node) {
    const batchDims = node.version >= 12 ? node.int("batch_dims", 0) : 0;
    if (batchDims < 0) node.fail("batch_dims", `${batchDims} is negative`);
    return { batchDims };
  },
  infer(inputs, { batchDims }) {
    const { dtype, shape } = need(inputs, 0).type;
    const indices = need(inputs, 1).type.shape;
    if (shape === null || indices === null || typeof indices.at(-1) === "string") return [{ dtype, shape: null }];
    return [{ dtype, shape: gathered(shape, indices, batchDims) }];
  },
  evaluate(inputs, { batchDims }) {
    const x = need(inputs, 0);
    const indices = need(inputs, 1);
    const shape = gathered(x.shape, indices.shape, batchDims) as number[];
    const { offsets, run } = sliceOffsets(x.shape, indices, batchDims);
    const from = slotsOf(x);
    const to = newSlots(x.dtype, sizeOf(shape));
    for (let i = 0; i < offsets.length; i++) copyRun(from, offsets[i]!, to, i * run, run);
    return [fromSlots(x.dtype, shape, to)];
  },
};

function gathered(shape: readonly Dim[], indices: readonly Dim[], batchDims: number): Dim[] {
  const depth = indices.at(-1);
  if (typeof depth !== "number" || batchDims + depth > shape.length || batchDims >= indices.length)
    throw new NonzeroError("shape", `indices of shape [${indices}] do not fit data of shape [${shape}]`);
  const batch = indices.slice(0, batchDims).map((dim, i) => unifyDim(dim, shape[i]!, "batch dimensions"));
  return [...batch, ...indices.slice(batchDims, -1), ...shape.slice(batchDims + depth)];
}

/** Where each slice that GatherND and ScatterND address begins in data of `shape`, and how many elements it has. */
export function sliceOffsets(
  shape: readonly number[],
  indices: Tensor,
  batchDims: number,
): { offsets: Int32Array; run: number } {
  const depth = indices.shape.at(-1);
  if (depth === undefined || batchDims + depth > shape.length)
    throw new NonzeroError("shape", `indices of shape [${indices.shape}] do not fit data of shape [${shape}]`);
  const strides = stridesOf(shape);
  const values = indices.numbers();
  const count = sizeOf(indices.shape.slice(0, -1));
  const perBatch = sizeOf(indices.shape.slice(batchDims, -1));
  const batchSize = sizeOf(shape.slice(batchDims));
  const offsets = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    let offset = Math.floor(i / perBatch) * batchSize;
    for (let d = 0; d < depth; d++)
      offset += normalizeIndex(values[i * depth + d]!, shape[batchDims + d]!) * strides[batchDims + d]!;
    offsets[i] = offset;
  }
  return { offsets, run: sizeOf(shape.slice(batchDims + depth)) };
}
