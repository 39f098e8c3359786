import type { Mask, Matrix } from "../sparsity/index.js";
import type { DataType, Tensor } from "../tensor/index.js";

/**
 * A sparse matrix [rows, cols] as its layout stores it: named parts, each a tensor. The part `values` holds the kept values in
 * the layout's order, as float32, float16, bfloat16 or int8; with int8 a part `scales` (float32, [rows]) multiplies each row. The layout `dense:gG`
 * alone holds codes with a scale a group.
 */
export interface Stored {
  /** The layout with its parameters, as `parseLayout` reads it: `csr`, `bsr:16x16`, `semi-structured`, `v:n:m:4:2:4`. */
  readonly layout: string;
  readonly rows: number;
  readonly cols: number;
  /** What the graph sees; `decode` itself gives float32, which holds every float16, bfloat16 and scaled int8 value. */
  readonly dtype: DataType;
  readonly parts: Readonly<Record<string, Tensor>>;
}

export type ValueDataType = "float32" | "float16" | "bfloat16" | "int8";

export const VALUE_DATA_TYPES: readonly ValueDataType[] = ["float32", "float16", "bfloat16", "int8"];

export interface EncodeOptions {
  /**
   * How values are stored; float32 when absent. int8 is symmetric: scale = max |row| / 127, code = round(value / scale); a matrix
   * whose `dtype` is int8 keeps its codes, with scales of 1.
   */
  readonly values?: ValueDataType;
  /** What the graph sees (`Stored.dtype`); float32 when absent. */
  readonly dtype?: DataType;
}

/** What a layout takes for a mask: how many values (padding counted) and how many bytes of everything but values and scales. */
export interface Footprint {
  readonly values: number;
  readonly indexBytes: number;
}

/** How the nonzeros of a matrix are stored. One file a layout; the exact bits are in its docstring. */
export interface Layout {
  readonly name: string;
  /** Name with parameters; goes into `Stored.layout`. */
  readonly text: string;
  /** Names of all parts, in the order in which files list them. `scales` is there only with int8 values. */
  readonly parts: readonly string[];
  /** Null when the mask can be stored without loss; otherwise why not, in plain words with the first place. */
  misfit(mask: Mask): string | null;
  /** What `encode` would store for a mask that fits, without encoding it. */
  footprint(mask: Mask): Footprint;
  /**
   * Entries that the mask keeps are stored even when they are zero; entries that it prunes and the layout stores all the same
   * (a slot that a group leaves empty, the rest of a kept block) are stored as +0.
   * @throws NonzeroError "layout" when the mask does not fit, or for NaN or infinity with int8 values; "shape" when matrix and
   * mask differ in shape.
   */
  encode(dense: Matrix, mask: Mask, options?: EncodeOptions): Stored;
  /** The dense matrix. `stored` must be valid. */
  decode(stored: Stored): Matrix;
  /**
   * Calls `visit(row, col, index)` for each stored entry, by ascending row and within a row by ascending column; `index` is
   * the entry's place in the part `values`. Padding that a layout stores beyond the matrix is not visited.
   */
  visit(stored: Stored, visit: (row: number, col: number, index: number) => void): void;
  /**
   * Checks parts that came from outside (names, shapes, dtypes, index ranges, order, zero padding), so that `decode`, `visit` and
   * kernels may trust them. Allocates nothing that grows with a claimed size. @throws NonzeroError "invalid-model" naming the part.
   */
  validate(stored: Stored): void;
}

/** Bytes that the parts take. */
export const bytesOf = (stored: Stored): number =>
  Object.values(stored.parts).reduce((bytes, part) => bytes + part.byteLength, 0);
