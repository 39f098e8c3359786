import type { Mask, Matrix } from "../sparsity/index.js";
import type { DataType, Tensor } from "../tensor/index.js";

/**
 * A sparse matrix [rows, cols] as its layout stores it: named parts, each a tensor. The part `values` holds the kept values in
 * the layout's order, as float32, float16, bfloat16 or int8; with int8 a part `scales` (float32, [rows]) multiplies each row.
 */
export interface Stored {
  /** The layout with its parameters, as `parseLayout` reads it: `csr`, `bsr:16x16`, `semi-structured`, `v:n:m:4:2:4`. */
  readonly layout: string;
  readonly rows: number;
  readonly cols: number;
  /** What `decode` gives back; what the graph sees. */
  readonly dtype: DataType;
  readonly parts: Readonly<Record<string, Tensor>>;
}

export type ValueDataType = "float32" | "float16" | "bfloat16" | "int8";

export interface EncodeOptions {
  /** How values are stored; float32 when absent. int8 is symmetric with one scale a row. */
  readonly values?: ValueDataType;
}

/** How the nonzeros of a matrix are stored. One file a layout; the exact bits are in its docstring. */
export interface Layout {
  readonly name: string;
  /** Name with parameters; goes into `Stored.layout`. */
  readonly text: string;
  /** Names of the parts, in the order in which files list them. `scales` comes last and only with int8 values. */
  readonly parts: readonly string[];
  /** Null when the mask can be stored without loss; otherwise why not, in plain words with the first place. */
  misfit(mask: Mask): string | null;
  /** @throws NonzeroError "layout" when the mask does not fit. Entries that the mask keeps are stored even when they are zero. */
  encode(dense: Matrix, mask: Mask, options?: EncodeOptions): Stored;
  decode(stored: Stored): Matrix;
  /**
   * Calls `visit(row, col, index)` for each stored entry, by ascending row and within a row by ascending column; `index` is
   * the entry's place in the part `values`. Padding that a layout stores beyond the matrix is not visited.
   */
  visit(stored: Stored, visit: (row: number, col: number, index: number) => void): void;
  /** Checks parts that came from outside (shapes, dtypes, index ranges, order). @throws NonzeroError "invalid-model" naming the part. */
  validate(stored: Stored): void;
}

/** Bytes that the parts take. */
export const bytesOf = (stored: Stored): number =>
  Object.values(stored.parts).reduce((bytes, part) => bytes + part.byteLength, 0);
