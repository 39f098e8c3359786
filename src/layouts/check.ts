import { type DataType, NonzeroError, type Tensor } from "../tensor/index.js";
import { type Stored, VALUE_DATA_TYPES, type ValueDataType } from "./layout.js";

/** rows × cols of a stored matrix is at most this, so that every offset into it is an int32. */
export const MAX_ENTRIES = 2 ** 31 - 1;

export function invalid(field: string, reason: string): NonzeroError {
  return new NonzeroError("invalid-model", reason, { field });
}

/** Layout text, matrix shape, dtype, names of the parts, dtype of the values, and the scales. */
export function checkCommon(stored: Stored, text: string, indices: readonly string[]): void {
  const { rows, cols, dtype, parts } = stored;
  if (stored.layout !== text) throw invalid("layout", `'${stored.layout}' is not '${text}'`);
  for (const [field, size] of Object.entries({ rows, cols })) {
    if (!Number.isInteger(size) || size < 0 || size > MAX_ENTRIES) throw invalid(field, `${size} is not a size`);
  }
  if (rows * cols > MAX_ENTRIES) throw invalid("rows", `a ${rows}×${cols} matrix has more than ${MAX_ENTRIES} entries`);
  if (dtype === "string" || dtype === "bool") throw invalid("dtype", `a sparse matrix cannot be ${dtype}`);
  const values = parts.values?.dtype;
  const names = [...indices, "values", ...(values === "int8" ? ["scales"] : [])];
  for (const name of names) if (parts[name] === undefined) throw invalid(name, `layout ${text} needs this part`);
  for (const name of Object.keys(parts)) {
    if (!names.includes(name)) throw invalid(name, `layout ${text} with ${values} values has no such part`);
  }
  if (!VALUE_DATA_TYPES.includes(values as ValueDataType)) {
    throw invalid("values", `values are ${VALUE_DATA_TYPES.join(", ")}, not ${values}`);
  }
  if (values === "int8") checkPart(stored, "scales", "float32", [rows]);
}

/** The part, whose dtype and shape must be exactly these. */
export function checkPart(stored: Stored, name: string, dtype: DataType, shape: readonly number[]): Tensor {
  const part = stored.parts[name]!;
  if (part.dtype !== dtype) throw invalid(name, `expected ${dtype}, not ${part.dtype}`);
  checkShape(part, name, shape);
  return part;
}

/** The part `values`, of any value dtype. */
export function checkValues(stored: Stored, shape: readonly number[]): Tensor {
  const values = stored.parts.values!;
  checkShape(values, "values", shape);
  return values;
}

function checkShape(part: Tensor, name: string, shape: readonly number[]): void {
  if (part.shape.length !== shape.length || shape.some((dim, axis) => part.shape[axis] !== dim)) {
    throw invalid(name, `expected shape [${shape}], not [${part.shape}]`);
  }
}

/** The length of a 1-D part, or of the first axis of any other. */
export function lengthOf(stored: Stored, name: string): number {
  const length = stored.parts[name]!.shape[0];
  if (length === undefined) throw invalid(name, "expected at least one axis");
  return length;
}

/** Compressed row pointers: [rows + 1], from 0 to `total`, never descending. */
export function checkPointers(stored: Stored, name: string, rows: number, total: number): Uint32Array {
  const pointers = checkPart(stored, name, "uint32", [rows + 1]).data as Uint32Array;
  if (pointers[0] !== 0) throw invalid(name, `starts with ${pointers[0]}, not 0`);
  for (let row = 0; row < rows; row++) {
    if (pointers[row]! > pointers[row + 1]!) throw invalid(name, `descends after row ${row}`);
  }
  if (pointers[rows] !== total) throw invalid(name, `ends with ${pointers[rows]}, not ${total}`);
  return pointers;
}

/** Indices below `bound`, strictly ascending within start ≤ i < end. */
export function checkAscending(
  name: string,
  indices: ArrayLike<number>,
  start: number,
  end: number,
  bound: number,
): void {
  for (let i = start; i < end; i++) {
    if (indices[i]! >= bound) throw invalid(name, `entry ${i} is ${indices[i]}, not below ${bound}`);
    if (i > start && indices[i]! <= indices[i - 1]!) throw invalid(name, `entry ${i} does not ascend`);
  }
}

/** A value that lies beyond the matrix must be 0 (of either sign), so that kernels may read it. */
export function checkPadding(value: number, index: number): void {
  if (value !== 0) throw invalid("values", `entry ${index} is padding beyond the matrix and must be 0, not ${value}`);
}

/** The values of one block that lie beyond the matrix must be 0. */
export function checkBlockPadding(
  values: ArrayLike<number>,
  base: number,
  height: number,
  width: number,
  insideRows: number,
  insideCols: number,
): void {
  if (insideRows >= height && insideCols >= width) return;
  for (let i = 0; i < height * width; i++) {
    if (Math.floor(i / width) >= insideRows || i % width >= insideCols) checkPadding(values[base + i]!, base + i);
  }
}
