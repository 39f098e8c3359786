import { applyMask, type Mask, type Matrix, maskOf, parsePattern } from "../sparsity/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";
import { type Layout, VALUE_DATA_TYPES, type ValueDataType } from "./layout.js";
import { parseLayout } from "./registry.js";
import { SparseTensor, toMatrix } from "./sparse-tensor.js";

export interface ToSparseOptions {
  /** Prune a tensor that does not fit to the pattern of the layout, by magnitude (ties keep the lower index), instead of refusing it. */
  readonly lossy?: boolean;
  /** How values are stored; the tensor's own dtype when absent. */
  readonly values?: ValueDataType;
}

/**
 * A sparse tensor of any layout (`parseLayout`) from a dense one of shape [outputs, inputs], dtype float32, float16, bfloat16 or
 * int8. NaN counts as nonzero; -0 counts as zero and comes back as +0.
 * @throws NonzeroError "shape" when the tensor is not 2-D; "layout" for another dtype, or when it does not fit the layout and
 * `lossy` is not set (the message names the first place); "invalid-argument" when lossy pruning meets a NaN.
 */
export function toSparse(tensor: Tensor, layout: string, options: ToSparseOptions = {}): SparseTensor {
  if (tensor.shape.length !== 2) {
    throw new NonzeroError("shape", `a sparse tensor is made of a 2-D one, not of shape [${tensor.shape}]`);
  }
  const stored = tensor.dtype as ValueDataType;
  if (!VALUE_DATA_TYPES.includes(stored)) {
    throw new NonzeroError("layout", `sparse tensors are ${VALUE_DATA_TYPES.join(", ")}, not ${tensor.dtype}`);
  }
  const encoder = parseLayout(layout);
  const dense = toMatrix(tensor, [0, 1]);
  const nonzeros = maskOf(dense);
  const mask =
    options.lossy === true && encoder.misfit(nonzeros) !== null ? pruned(dense, encoder, nonzeros) : nonzeros;
  const { values = stored } = options;
  return new SparseTensor(tensor.shape, [0, 1], encoder.encode(dense, mask, { values, dtype: tensor.dtype }));
}

/** 2:4, PyTorch's `to_sparse_semi_structured`, which prunes without a word what does not fit: see `lossy`. */
export const toSparseSemiStructured = (tensor: Tensor, options?: ToSparseOptions): SparseTensor =>
  toSparse(tensor, "semi-structured", options);

/** PyTorch's `Tensor.to_sparse_csr`. */
export const toSparseCsr = (tensor: Tensor, options?: ToSparseOptions): SparseTensor =>
  toSparse(tensor, "csr", options);

/** PyTorch's `Tensor.to_sparse_bsr`; `blockSize` is [outputs, inputs] and need not divide the shape. */
export const toSparseBsr = (
  tensor: Tensor,
  blockSize: readonly [number, number],
  options?: ToSparseOptions,
): SparseTensor => toSparse(tensor, `bsr:${blockSize[0]}x${blockSize[1]}`, options);

/** PyTorch's `Tensor.to_sparse`, coalesced. */
export const toSparseCoo = (tensor: Tensor, options?: ToSparseOptions): SparseTensor =>
  toSparse(tensor, "coo", options);

/** The largest magnitudes that the layout can store. */
function pruned(dense: Matrix, layout: Layout, nonzeros: Mask): Mask {
  const magnitudes = { ...dense, data: dense.data.map(Math.abs) };
  const mask = parsePattern(ruleOf(layout.text)).select(magnitudes);
  return maskOf(applyMask(dense, { ...mask, data: mask.data.map((bit, i) => bit & nonzeros.data[i]!) }));
}

/** The pattern that every mask of a layout satisfies, for the layouts that do not take any mask. */
function ruleOf(layout: string): string {
  if (layout === "semi-structured") return "2:4";
  return layout
    .replace(/^bsr:.*\+/, "")
    .replace(/^(v:)?n:m:/, "")
    .replace(/^bnm:/, "block:");
}
