import { applyMask, checkSameShape } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { checkPart, invalid, MAX_ENTRIES } from "./check.js";
import type { Layout, Stored } from "./layout.js";
import { quantizeGroups } from "./quantize.js";

/**
 * `dense:gG`: every value of the matrix as an unsigned code, with a scale for each G neighbours of a row: value = (code − zero point) · scale. What
 * com.microsoft MatMulNBits multiplies by.
 *
 * | part | dtype | shape | |
 * | --- | --- | --- | --- |
 * | values | uint4, uint8 | [rows, cols] | codes |
 * | scales | float32 | [rows, ceil(cols / G)] | |
 * | zero_points | of values | [rows, ceil(cols / G)] | left out where all are 8 (uint4) or 128 (uint8) |
 *
 * `encode` makes symmetric uint4 codes of any matrix; see `quantizeGroups`.
 */
export const grouped = (size: number): Layout => ({
  name: "dense",
  text: `dense:g${size}`,
  parts: ["values", "scales", "zero_points"],
  misfit: () => null,
  footprint: ({ rows, cols }) => ({ values: rows * cols, indexBytes: 0 }),
  encode(dense, mask, { values = "float32", dtype = "float32" } = {}) {
    checkSameShape(dense, mask);
    if (values !== "float32") throw new NonzeroError("layout", `dense:g${size}: its values are codes, not ${values}`);
    const { rows, cols } = dense;
    const { codes, scales } = quantizeGroups(applyMask(dense, mask), size, true);
    const parts = {
      values: Tensor.from("uint4", [rows, cols], codes),
      scales: new Tensor("float32", [rows, groupsOf(cols, size)], scales),
    };
    return { layout: `dense:g${size}`, rows, cols, dtype, parts };
  },
  decode(stored) {
    const { rows, cols } = stored;
    const groups = groupsOf(cols, size);
    const { codes, scales, zeroPointOf } = groupedParts(stored);
    const data = new Float32Array(rows * cols);
    for (let row = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++) {
        const group = row * groups + Math.floor(col / size);
        data[row * cols + col] = (codes[row * cols + col]! - zeroPointOf(group)) * scales[group]!;
      }
    }
    return { rows, cols, data };
  },
  visit({ rows, cols }, visit) {
    for (let row = 0; row < rows; row++) for (let col = 0; col < cols; col++) visit(row, col, row * cols + col);
  },
  validate(stored) {
    const { rows, cols, dtype, layout, parts } = stored;
    if (layout !== `dense:g${size}`) throw invalid("layout", `'${layout}' is not 'dense:g${size}'`);
    if (![rows, cols, rows * cols].every((n) => Number.isInteger(n) && n >= 0 && n <= MAX_ENTRIES))
      throw invalid("rows", `a ${rows}×${cols} matrix`);
    if (dtype === "string" || dtype === "bool") throw invalid("dtype", `a matrix of codes cannot be ${dtype}`);
    const { values, scales, zero_points: zeroPoints, ...others } = parts;
    for (const name of Object.keys(others)) throw invalid(name, `layout ${layout} has no such part`);
    if (values === undefined) throw invalid("values", `layout ${layout} needs this part`);
    if (scales === undefined) throw invalid("scales", `layout ${layout} needs this part`);
    if (values.dtype !== "uint4" && values.dtype !== "uint8")
      throw invalid("values", `expected uint4 or uint8, not ${values.dtype}`);
    checkPart(stored, "values", values.dtype, [rows, cols]);
    checkPart(stored, "scales", "float32", [rows, groupsOf(cols, size)]);
    if (zeroPoints !== undefined) checkPart(stored, "zero_points", values.dtype, [rows, groupsOf(cols, size)]);
  },
});

export const groupsOf = (cols: number, size: number): number => Math.ceil(cols / size);

/** What a stored matrix of `dense:gG` holds, as numbers. */
export function groupedParts({ parts }: Stored) {
  const { values, scales, zero_points: zeroPoints } = parts;
  const middle = values!.dtype === "uint4" ? 8 : 128;
  const zeros = zeroPoints?.numbers();
  return {
    codes: values!.numbers() as ArrayLike<number>,
    scales: scales!.data as Float32Array,
    zeroPointOf: (group: number): number => (zeros === undefined ? middle : zeros[group]!),
  };
}

/** The group size of a layout's text; null for other layouts. */
export function groupSizeOf(layout: string): number | null {
  const match = /^dense:g(\d+)$/.exec(layout);
  return match === null ? null : Number(match[1]);
}
