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

/** 4-bit codes of a matrix [rows, cols] in groups of `size` along the columns: value ≈ (code − zero point) · scale. */
export interface QuantizedGroups {
  /** 0 to 15, [rows, cols]. */
  readonly codes: Uint8Array;
  /** [rows, ceil(cols / size)]. */
  readonly scales: Float32Array;
  /** As scales; 8 throughout where they are symmetric. */
  readonly zeroPoints: Uint8Array;
}

/**
 * Rounds to nearest, as onnxruntime's MatMulNBits quantizer does. Symmetric: the zero point is 8 and the value of largest magnitude becomes code 0, so
 * that all 16 codes serve; otherwise codes 0 and 15 are the group's least and greatest value, 0 counted in.
 * @throws NonzeroError "layout" for NaN or infinity.
 */
export function quantizeGroups({ rows, cols, data }: Matrix, size: number, symmetric: boolean): QuantizedGroups {
  const groups = Math.ceil(cols / size);
  const codes = new Uint8Array(rows * cols);
  const scales = new Float32Array(rows * groups);
  const zeroPoints = new Uint8Array(rows * groups).fill(8);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const begin = row * cols + group * size;
      const end = Math.min(begin + size, (row + 1) * cols);
      let [low, high] = [0, 0];
      for (let i = begin; i < end; i++) {
        if (!Number.isFinite(data[i]!))
          throw new NonzeroError("layout", `row ${row}, column ${i - row * cols} is ${data[i]}, which no code holds`);
        low = Math.min(low, data[i]!);
        high = Math.max(high, data[i]!);
      }
      const range = symmetric ? (-low > high ? low : high) / -8 : (high - low) / 15;
      const scale = Math.fround(range) || 1; // all zeros, or too small for a float32 scale
      const zero = symmetric ? 8 : Math.min(15, Math.max(0, Math.round(-low / scale)));
      scales[row * groups + group] = scale;
      zeroPoints[row * groups + group] = zero;
      for (let i = begin; i < end; i++) codes[i] = Math.min(15, Math.max(0, Math.round(data[i]! / scale) + zero));
    }
  }
  return { codes, scales, zeroPoints };
}
