import type { Mask } from "../../sparsity/index.js";
import { type Scaled, times } from "./scaled.js";

/** A row is solved where its residual is this share of what it was asked for. */
const ENOUGH = 1e-12;

/**
 * Steps of conjugate gradients toward the least squares weights under a mask, all rows at once, each with step lengths of its own:
 * min ‖(Y − W)·H^½‖² over the entries that the mask keeps. `start` is zero elsewhere, and the result too.
 */
export function conjugateGradients(
  { rows, size, matrix, products }: Scaled,
  { data: mask }: Mask,
  start: Float64Array,
  steps: number,
): Float64Array {
  const x = start.slice();
  const residual = times(x, rows, matrix, size).map((product, i) => (mask[i] !== 0 ? products[i]! - product : 0));
  const direction = residual.slice();
  const energies = squares(residual, rows, size);
  const enough = squares(products, rows, size).map((energy) => energy * ENOUGH ** 2);
  for (let step = 0; step < steps; step++) {
    const product = times(direction, rows, matrix, size);
    let running = false;
    for (let row = 0; row < rows; row++) {
      if (energies[row]! <= enough[row]!) continue;
      running = true;
      const [from, to] = [row * size, (row + 1) * size];
      let curvature = 0;
      for (let i = from; i < to; i++) curvature += direction[i]! * product[i]!;
      const alpha = energies[row]! / curvature;
      let energy = 0;
      for (let i = from; i < to; i++) {
        if (mask[i] === 0) continue;
        x[i] = x[i]! + alpha * direction[i]!;
        residual[i] = residual[i]! - alpha * product[i]!;
        energy += residual[i]! ** 2;
      }
      const beta = energy / energies[row]!;
      energies[row] = energy;
      for (let i = from; i < to; i++) direction[i] = residual[i]! + beta * direction[i]!;
    }
    if (!running) break;
  }
  return x;
}

/** Σ x² of each row. */
function squares(values: Float64Array, rows: number, size: number): Float64Array {
  const sums = new Float64Array(rows);
  for (let i = 0; i < values.length; i++) sums[Math.floor(i / size)]! += values[i]! ** 2;
  return sums;
}
