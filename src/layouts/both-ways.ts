import {
  type BothWaysAlgorithm,
  checkTiled,
  type Mask,
  maskOfTiles,
  type RowsAlgorithm,
  selectRows24,
  selectTiles,
} from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { packGroups } from "./groups.js";
import { SparseTensor, toMatrix } from "./sparse-tensor.js";

/**
 * A matrix x [R, C] that is 2:4 both ways, and its transpose: what PyTorch keeps in one `SparseSemiStructuredTensor`. Both are of layout
 * `semi-structured`, whose `values` and `indices` are PyTorch's `packed` and `meta`, or `packed_t` and `meta_t`, in plain row order.
 */
export interface BothWays {
  /** x, [R, C]. */
  readonly sparse: SparseTensor;
  /** xᵀ, [C, R]. */
  readonly transposed: SparseTensor;
  /** What each 4×4 tile of x keeps: uint16 [R / 4, C / 4], bit 4 × row + column; the 16-bit words of PyTorch's `threads_masks`. */
  readonly mask: Tensor;
}

export interface Sparsify24Options {
  /** Default: `largest_abs_values_greedy`. (PyTorch's and xFormers' own default is `largest_values_greedy`, which prunes large negative values first.) */
  readonly algorithm?: BothWaysAlgorithm;
}

/**
 * Prunes x [R, C] (float32, float16 or bfloat16) to 2:4 along its rows and along its columns at once, as a training step wants it: x for one
 * product, xᵀ for the other. PyTorch's `torch._sparse_semi_structured_tile`, by xFormers' name. Kept values are copied bit for bit; the slots
 * of a row or column that keeps fewer than two hold +0.
 * @throws NonzeroError "shape" unless x is 2-D and 4 divides R and C; "layout" for another dtype.
 */
export function sparsify24(x: Tensor, { algorithm = "largest_abs_values_greedy" }: Sparsify24Options = {}): BothWays {
  const [rows, cols] = checkFloats(x);
  checkTiled(rows, cols);
  const tiles = selectTiles(toMatrix(x, [0, 1]), algorithm);
  return packBothWays(x, new Tensor("uint16", [rows / 4, cols / 4], tiles));
}

/**
 * x under the mask of another, xFormers' `sparsify24_like` and PyTorch's `torch._sparse_semi_structured_apply`: a gradient takes the pattern of its
 * activation. @throws NonzeroError "shape" when the shapes differ; "layout" for a dtype that `sparsify24` does not take.
 */
export function sparsify24Like(x: Tensor, { mask }: Pick<BothWays, "mask">): BothWays {
  checkFloats(x);
  if (x.shape.some((dim, axis) => dim !== 4 * mask.shape[axis]!)) {
    throw new NonzeroError("shape", `[${mask.shape}] tiles do not fit a tensor of shape [${x.shape}]`);
  }
  return packBothWays(x, mask);
}

/**
 * Prunes the rows of x [R, C] alone to 2:4: the two largest of each four. xFormers' `sparsify24` with these algorithms; `toSparse` with `lossy` does
 * it for any n:m. @throws NonzeroError "shape" unless x is 2-D and 4 divides C; "layout" for a dtype that `sparsify24` does not take.
 */
export function sparsifyRows24(
  x: Tensor,
  { algorithm = "largest_abs_notranspose" }: { readonly algorithm?: RowsAlgorithm } = {},
): SparseTensor {
  checkFloats(x);
  return pack(x, selectRows24(toMatrix(x, [0, 1]), algorithm));
}

/** x and xᵀ under what the tiles keep (uint16 [R / 4, C / 4]), each row and column of a tile two entries at most. */
export function packBothWays(x: Tensor, mask: Tensor): BothWays {
  const [rows, cols] = x.shape as [number, number];
  const kept = maskOfTiles(mask.data as Uint16Array, rows, cols);
  const turned = { rows: cols, cols: rows, data: transpose(kept.data, rows, cols) };
  const bytes = new Uint8Array(transpose(bitsOf(x), rows, cols).buffer);
  const xT = Tensor.fromBytes(x.dtype as "float32", [cols, rows], bytes);
  return { sparse: pack(x, kept), transposed: pack(xT, turned), mask };
}

/** Kept elements as they are, bit for bit, which an encoder of numbers would not promise for a NaN. */
function pack(x: Tensor, mask: Mask): SparseTensor {
  const { rows, cols } = mask;
  const { indices, columns } = packGroups(mask, { n: 2, m: 4 });
  const values = Tensor.zeros(x.dtype, [rows, cols / 2]);
  const [from, to] = [bitsOf(x), bitsOf(values)];
  columns.forEach((col, slot) => {
    const at = Math.floor(slot / (cols / 2)) * cols + col;
    if (mask.data[at] !== 0) to[slot] = from[at]!;
  });
  const stored = { layout: "semi-structured", rows, cols, dtype: x.dtype, parts: { indices, values } };
  return new SparseTensor([rows, cols], [0, 1], stored);
}

const bitsOf = ({ data }: Tensor): Uint16Array | Uint32Array =>
  data instanceof Float32Array ? new Uint32Array(data.buffer, data.byteOffset, data.length) : (data as Uint16Array);

function transpose<T extends Uint8Array | Uint16Array | Uint32Array>(data: T, rows: number, cols: number): T {
  const turned = data.slice() as T;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) turned[col * rows + row] = data[row * cols + col]!;
  }
  return turned;
}

function checkFloats({ dtype, shape }: Tensor): [number, number] {
  if (shape.length !== 2) throw new NonzeroError("shape", `2:4 is for matrices, not for shape [${shape}]`);
  if (dtype !== "float32" && dtype !== "float16" && dtype !== "bfloat16") {
    throw new NonzeroError("layout", `2:4 both ways is for float32, float16 and bfloat16, not ${dtype}`);
  }
  return shape as [number, number];
}
