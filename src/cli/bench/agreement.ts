import type { Matrix } from "../../sparsity/index.js";
import type { Tensor } from "../../tensor/index.js";

/** Unit roundoff of float32. */
const ROUNDOFF = 2 ** -24;
/** Rounding errors of n operations stay below λ·√n roundoffs with a chance of failure of at most 2n·exp(-λ²/2): 8 gives 3e-14·n. */
const LAMBDA = 8;

/** The product of weights [M, K] and x [K, N] in double precision, with a bound on what float32 may make of each element. */
export interface Expected {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float64Array;
  /** Largest |difference| that rounding explains, by element. */
  bound(row: number, col: number): number;
}

/**
 * What every contestant must give. |ŷ - y| ≤ λ √n u Σ|w||x| for n kept entries in the row, summed in any order (Higham and Mary, 2019, "A new
 * approach to probabilistic rounding error analysis"), and Σ|w||x| ≤ ‖w‖‖x‖. The two operations more are for values with a scale.
 */
export function expectedProduct(weight: Matrix, x: Matrix): Expected {
  const [rows, depth, cols] = [weight.rows, weight.cols, x.cols];
  const values = new Float64Array(rows * cols);
  const rowFactor = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const sums = values.subarray(i * cols, (i + 1) * cols);
    let [kept, squares] = [0, 0];
    for (let k = 0; k < depth; k++) {
      const w = weight.data[i * depth + k]!;
      if (w === 0) continue;
      kept++;
      squares += w * w;
      for (let j = 0, at = k * cols; j < cols; j++, at++) sums[j]! += w * x.data[at]!;
    }
    rowFactor[i] = LAMBDA * ROUNDOFF * Math.sqrt(kept + 2) * Math.sqrt(squares);
  }
  const norms = new Float64Array(cols);
  for (let k = 0; k < depth; k++) for (let j = 0; j < cols; j++) norms[j]! += x.data[k * cols + j]! ** 2;
  return { rows, cols, values, bound: (row, col) => rowFactor[row]! * Math.sqrt(norms[col]!) };
}

/** Where and how a result leaves what rounding explains; null where it does not. */
export function disagreement(actual: Tensor, expected: Expected): string | null {
  const { rows, cols, values } = expected;
  if (actual.dtype !== "float32" || actual.shape.join() !== `${rows},${cols}`)
    return `the output is ${actual.dtype}[${actual.shape}] instead of float32[${rows},${cols}]`;
  const y = actual.data as Float32Array;
  for (let at = 0; at < y.length; at++) {
    const [row, col] = [Math.floor(at / cols), at % cols];
    const apart = Math.abs(y[at]! - values[at]!);
    const bound = expected.bound(row, col);
    if (!(apart <= bound))
      return `row ${row}, column ${col} is ${y[at]} instead of ${values[at]}; rounding explains ${bound.toExponential(1)}`;
  }
  return null;
}

/** Float32 results of the same model from two runtimes may differ by this share of the output's largest value. */
export const MODEL_TOLERANCE = 1e-3;

/** How two runtimes' outputs of one model differ beyond `MODEL_TOLERANCE`; null where they do not. */
export function outputsDiffer(
  actual: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
): string | null {
  for (const [name, want] of Object.entries(expected)) {
    const have = actual[name];
    if (have === undefined || have.dtype !== want.dtype || have.shape.join() !== want.shape.join())
      return `output '${name}' is ${have?.dtype}[${have?.shape}] and ${want.dtype}[${want.shape}]`;
    if (want.dtype === "string") {
      if (have.strings().join("\0") !== want.strings().join("\0")) return `output '${name}' has other strings`;
      continue;
    }
    const [a, b] = [have.numbers(), want.numbers()];
    let [apart, largest] = [0, 0];
    for (let i = 0; i < b.length; i++) {
      const both = Object.is(a[i], b[i]) || a[i] === b[i];
      if (!both) apart = Math.max(apart, Number.isFinite(a[i]! - b[i]!) ? Math.abs(a[i]! - b[i]!) : Infinity);
      if (Number.isFinite(b[i]!)) largest = Math.max(largest, Math.abs(b[i]!));
    }
    if (apart > MODEL_TOLERANCE * largest)
      return `output '${name}' differs by ${apart.toExponential(2)} where its largest value is ${largest.toExponential(2)}`;
  }
  return null;
}
