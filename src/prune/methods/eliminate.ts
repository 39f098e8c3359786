/** What one band of rows gives up, step by step: groups of columns in order, and what each step adds to w·H·wᵀ of the error. */
export interface Elimination {
  readonly groups: readonly number[];
  readonly losses: readonly number[];
}

/**
 * Optimal brain surgery on rows that share their mask: as long as any may go, removes the group of `width` neighbouring columns that costs
 * least, Σ_rows w_g·(H⁻¹)_gg⁻¹·w_gᵀ, and lets all other columns make up for it, w −= w_g·(H⁻¹)_gg⁻¹·(H⁻¹)_g: (for one column
 * w −= w_p / (H⁻¹)_pp · (H⁻¹)_p:).
 *
 * Each removal would change all of the inverse by −c·cᵀ, c = (H⁻¹)_:p / √(H⁻¹)_pp. Only its diagonal blocks are kept up to date; a column is made when
 * its turn comes, from the inverse as it was and the c so far. (That is the Cholesky factorization of H⁻¹, with the pivots chosen by their
 * cost.) After k removals the next takes k·n multiply-adds.
 *
 * @param values the rows [height, n]; changed in place, exact zeros for what is gone.
 * @param inverse H⁻¹ [n, n], symmetric.
 * @param quotas how many groups may go of each run of `run` neighbouring groups.
 */
export function eliminate(
  values: Float64Array,
  inverse: Float64Array,
  n: number,
  width: number,
  quotas: readonly number[],
  run: number,
): Elimination {
  const left = [...quotas];
  const live = new Uint8Array(n).fill(1);
  const blocks = diagonalBlocks(inverse, n, width);
  const removals = new Removals(inverse, n);
  const count = Math.ceil(n / width);
  const gone = new Uint8Array(count);
  const groups: number[] = [];
  const losses: number[] = [];
  for (;;) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let group = 0; group < count; group++) {
      if (gone[group] !== 0 || left[Math.floor(group / run)] === 0) continue;
      const cost =
        width === 1 ? costOfColumn(values, blocks, n, group) : costOfColumns(values, blocks, n, width, group * width);
      if (cost < least || best < 0) {
        least = cost;
        best = group;
      }
    }
    if (best < 0) return { groups, losses };
    for (let col = best * width; col < Math.min((best + 1) * width, n); col++) {
      const c = removals.add(col, live);
      live[col] = 0;
      subtract(values, c, n, col);
      lower(blocks, c, width);
    }
    gone[best] = 1;
    left[Math.floor(best / run)]!--;
    groups.push(best);
    losses.push(least);
  }
}

/** The columns c of removals so far, one after another; zero at what went before. */
class Removals {
  readonly #inverse: Float64Array;
  readonly #n: number;
  #columns: Float64Array;
  #count = 0;

  constructor(inverse: Float64Array, n: number) {
    this.#inverse = inverse;
    this.#n = n;
    this.#columns = new Float64Array(16 * n);
  }

  /** The column of the inverse as it is now over the root of its pivot, in which `live` columns are. */
  add(col: number, live: Uint8Array): Float64Array {
    const n = this.#n;
    const from = this.#count++ * n;
    if (from === this.#columns.length) {
      const more = new Float64Array(Math.min(2 * from, n * n));
      more.set(this.#columns);
      this.#columns = more;
    }
    const all = this.#columns;
    const c = all.subarray(from, from + n);
    c.set(this.#inverse.subarray(col * n, (col + 1) * n));
    let before = 0;
    // Four at a time: the sums then go through memory a quarter as often.
    for (; before + 3 * n < from; before += 4 * n) {
      const [f0, f1, f2, f3] = [
        all[before + col]!,
        all[before + n + col]!,
        all[before + 2 * n + col]!,
        all[before + 3 * n + col]!,
      ];
      if (f0 === 0 && f1 === 0 && f2 === 0 && f3 === 0) continue;
      for (let i = 0, at = before; i < n; i++, at++)
        c[i] = c[i]! - f0 * all[at]! - f1 * all[at + n]! - f2 * all[at + 2 * n]! - f3 * all[at + 3 * n]!;
    }
    for (; before < from; before += n) {
      const f = all[before + col]!;
      for (let i = 0; i < n; i++) c[i] = c[i]! - f * all[before + i]!;
    }
    // A pivot that rounding has eaten up: nearly nothing but this column could stand in for it.
    const root = 1 / Math.sqrt(Math.max(c[col]!, Number.EPSILON * this.#inverse[col * (n + 1)]!));
    for (let i = 0; i < n; i++) c[i] = live[i] !== 0 ? c[i]! * root : 0;
    return c;
  }
}

/** The blocks of width × width on the diagonal, one after another; the last may be filled up with zeros. */
function diagonalBlocks(inverse: Float64Array, n: number, width: number): Float64Array {
  const blocks = new Float64Array(Math.ceil(n / width) * width * width);
  for (let i = 0; i < n; i++) {
    const first = i - (i % width);
    for (let j = first; j < Math.min(first + width, n); j++) blocks[i * width + j - first] = inverse[i * n + j]!;
  }
  return blocks;
}

/** blocks −= c·cᵀ. */
function lower(blocks: Float64Array, c: Float64Array, width: number): void {
  for (let i = 0; i < c.length; i++) {
    const first = i - (i % width);
    for (let j = first; j < Math.min(first + width, c.length); j++)
      blocks[i * width + j - first] = blocks[i * width + j - first]! - c[i]! * c[j]!;
  }
}

/** Rows without a column, which the others make up for. */
function subtract(values: Float64Array, c: Float64Array, n: number, col: number): void {
  for (let base = 0; base < values.length; base += n) {
    const factor = values[base + col]! / c[col]!;
    for (let i = 0; i < n; i++) values[base + i] = values[base + i]! - factor * c[i]!;
    values[base + col] = 0;
  }
}

function costOfColumn(values: Float64Array, diagonal: Float64Array, n: number, col: number): number {
  let sum = 0;
  for (let at = col; at < values.length; at += n) sum += values[at]! ** 2;
  return sum / diagonal[col]!;
}

/** Removing columns one after another costs what removing them at once does: each step's loss is measured with those before it gone. */
function costOfColumns(values: Float64Array, blocks: Float64Array, n: number, width: number, left: number): number {
  const small = blocks.slice(left * width, (left + width) * width);
  const count = Math.min(width, n - left);
  const height = values.length / n;
  const rows = new Float64Array(height * count);
  for (let row = 0; row < height; row++)
    for (let i = 0; i < count; i++) rows[row * count + i] = values[row * n + left + i]!;
  let cost = 0;
  for (let p = 0; p < count; p++) {
    const pivot = small[p * (width + 1)]!;
    for (let row = 0; row < height; row++) {
      const factor = rows[row * count + p]! / pivot;
      cost += factor * rows[row * count + p]!;
      for (let i = p + 1; i < count; i++) rows[row * count + i]! -= factor * small[i * width + p]!;
    }
    for (let i = p + 1; i < count; i++)
      for (let j = p + 1; j <= i; j++) small[i * width + j]! -= (small[i * width + p]! * small[j * width + p]!) / pivot;
  }
  return cost;
}
