import type { Mask } from "../sparsity/index.js";
import { NonzeroError } from "../tensor/index.js";
import { BaseSparsifier, type SparsifierGroup } from "./sparsifier.js";

export interface NearlyDiagonalOptions {
  /** Width of the band that is kept, an odd number; 1 (the default) is the diagonal, 0 or less nothing. */
  readonly nearliness: number;
}

/** torch.ao.pruning's NearlyDiagonalSparsifier: keeps a band around the diagonal, whatever the weights are. */
export class NearlyDiagonalSparsifier extends BaseSparsifier<NearlyDiagonalOptions> {
  constructor({ nearliness = 1 }: Partial<NearlyDiagonalOptions> = {}) {
    super({ nearliness });
  }

  protected override updateMask({ original, options }: SparsifierGroup<NearlyDiagonalOptions>): Mask {
    return nearlyDiagonalMask(original.rows, original.cols, options.nearliness);
  }
}

/** Ones where |row - column| ≤ nearliness / 2, rounded down. @throws NonzeroError "invalid-argument" as upstream raises ValueError. */
export function nearlyDiagonalMask(rows: number, cols: number, nearliness: number): Mask {
  const data = new Uint8Array(rows * cols);
  if (nearliness <= 0) return { rows, cols, data };
  const invalid = (reason: string): NonzeroError =>
    new NonzeroError("invalid-argument", reason, { field: "nearliness" });
  if (nearliness % 2 !== 1) throw invalid("nearliness can only be an odd number");
  const distance = (nearliness - 1) / 2;
  if (distance >= Math.min(rows, cols)) throw invalid("nearliness cannot be larger than the dimensions of tensor.");
  for (let row = 0; row < rows; row++)
    for (let col = Math.max(0, row - distance); col < Math.min(cols, row + distance + 1); col++)
      data[row * cols + col] = 1;
  return { rows, cols, data };
}
