import type { Matrix } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";

/**
 * Replaces each row by its int8 codes, in place, and returns the scales [rows]: scale = max |row| / 127 (1 for a row of zeros),
 * code = round(value / scale), half away from zero, in -127 … 127. @throws NonzeroError "layout" for NaN or infinity.
 */
export function quantizeRows({ rows, cols, data }: Matrix): Float32Array {
  const scales = new Float32Array(rows).fill(1);
  for (let row = 0; row < rows; row++) {
    let peak = 0;
    for (let i = row * cols; i < (row + 1) * cols; i++) {
      const magnitude = Math.abs(data[i]!);
      if (!(magnitude < Number.POSITIVE_INFINITY)) {
        throw new NonzeroError("layout", `row ${row}, column ${i - row * cols} is ${data[i]}, which int8 cannot hold`);
      }
      if (magnitude > peak) peak = magnitude;
    }
    const scale = Math.fround(peak / 127);
    if (scale === 0) {
      data.fill(0, row * cols, (row + 1) * cols); // all zeros, or too small for a float32 scale
      continue;
    }
    scales[row] = scale;
    for (let i = row * cols; i < (row + 1) * cols; i++) {
      const ratio = data[i]! / scale;
      data[i] = Math.sign(ratio) * Math.min(127, Math.round(Math.abs(ratio)));
    }
  }
  return scales;
}

/** Scales of 1 [rows] for a matrix that is int8 already. @throws NonzeroError "layout" for anything but integers from -128 to 127. */
export function unitScales({ rows, cols, data }: Matrix): Float32Array {
  const at = data.findIndex((x) => !Number.isInteger(x) || x < -128 || x > 127);
  if (at >= 0) {
    throw new NonzeroError(
      "layout",
      `row ${Math.floor(at / cols)}, column ${at % cols} is ${data[at]}, which is no int8`,
    );
  }
  return new Float32Array(rows).fill(1);
}
