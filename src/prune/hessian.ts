import { NonzeroError } from "../tensor/index.js";
import type { InputStatistics } from "./statistics/index.js";

/** The curvature that a layer's squared output error has in a row of its weight, up to a factor. */
export interface Hessian {
  readonly size: number;
  /** XᵀX / count, damped: row-major, both triangles. */
  readonly matrix: Float64Array;
  /** 1 for inputs that were 0 in every row: their weights do nothing, and their diagonal entry is the mean of the others'. */
  readonly dead: Uint8Array;
  /** Mean of the diagonal before damping, dead inputs left out. */
  readonly meanDiagonal: number;
}

/** H = XᵀX / count + damping · mean(diag) · I. */
export function hessianOf({ channels, count, gram }: InputStatistics, damping: number): Hessian {
  if (gram === null) throw new NonzeroError("invalid-argument", "a Hessian needs the Gram matrix of the inputs");
  const matrix = new Float64Array(gram.length);
  for (let i = 0; i < matrix.length; i++) matrix[i] = gram[i]! / count;
  const dead = new Uint8Array(channels);
  let trace = 0;
  let live = 0;
  for (let i = 0; i < channels; i++) {
    const entry = matrix[i * (channels + 1)]!;
    if (entry > 0) {
      trace += entry;
      live++;
    } else dead[i] = 1;
  }
  const meanDiagonal = live > 0 ? trace / live : 1;
  for (let i = 0; i < channels; i++) {
    const at = i * (channels + 1);
    matrix[at] = (dead[i] === 0 ? matrix[at]! : meanDiagonal) + damping * meanDiagonal;
  }
  return { size: channels, matrix, dead, meanDiagonal };
}

/** Which inputs are dead, and whether there were fewer rows than channels. */
export function notesOf({ size, dead }: Hessian, { count }: InputStatistics): string[] {
  const zeros = dead.reduce((sum, bit) => sum + bit, 0);
  return [
    ...(zeros > 0 ? [`${zeros} of ${size} inputs were always 0; their weights are set to 0`] : []),
    ...(count < size ? [`calibration saw ${count} rows for ${size} inputs: more would do better`] : []),
  ];
}

/** What damping starts from when none was asked for and the Hessian turns out singular, and where it ends: any XᵀX is definite long before. */
const LEAST_DAMPING = 1e-6;
const MOST_DAMPING = 1e3;

/**
 * The damped Hessian and what `factor` makes of it. Where that fails, because the Hessian is singular, with ten times the damping, again
 * and again; `notes` says so after what `notesOf` says.
 * @throws NonzeroError "invalid-argument" where no damping helps: the matrix is no XᵀX.
 */
export function factored<Factor>(
  statistics: InputStatistics,
  damping: number,
  factor: (matrix: Float64Array, size: number) => Factor | null,
): { readonly hessian: Hessian; readonly factor: Factor; readonly notes: readonly string[] } {
  for (let used = damping; ; used = Math.max(10 * used, LEAST_DAMPING)) {
    const hessian = hessianOf(statistics, used);
    const made = factor(hessian.matrix, hessian.size);
    if (made === null) {
      if (used < MOST_DAMPING) continue;
      throw new NonzeroError("invalid-argument", "the Gram matrix has negative eigenvalues", { field: "statistics" });
    }
    const notes = notesOf(hessian, statistics);
    if (used > damping) notes.push(`the Hessian is singular: damping ${used} instead of ${damping}`);
    return { hessian, factor: made, notes };
  }
}

/** A weight in double precision with dead inputs' entries 0. */
export function liveWeight(data: Float32Array, { size, dead }: Hessian): Float64Array {
  const values = new Float64Array(data);
  for (let at = 0; at < values.length; at += size) for (let i = 0; i < size; i++) if (dead[i] !== 0) values[at + i] = 0;
  return values;
}
