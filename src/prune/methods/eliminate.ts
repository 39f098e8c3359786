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
 * @param values the rows [height, n]; changed in place, exact zeros for what is gone.
 * @param inverse H⁻¹ [n, n], of which the lower triangle is read; spoiled: columns that are gone are eliminated from it, so that it is the inverse of
 * what is left. n²/2 multiply-adds for each column that goes.
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
  const count = Math.ceil(n / width);
  const live = new Uint8Array(n).fill(1);
  const gone = new Uint8Array(count);
  const groups: number[] = [];
  const losses: number[] = [];
  const column = new Float64Array(n);
  for (;;) {
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (let group = 0; group < count; group++) {
      if (gone[group] !== 0 || left[Math.floor(group / run)] === 0) continue;
      const cost =
        width === 1
          ? costOfColumn(values, inverse, n, group)
          : costOfColumns(values, inverse, n, group * width, Math.min((group + 1) * width, n));
      if (cost < least || best < 0) {
        least = cost;
        best = group;
      }
    }
    if (best < 0) return { groups, losses };
    for (let col = best * width; col < Math.min((best + 1) * width, n); col++)
      removeColumn(values, inverse, n, col, live, column);
    gone[best] = 1;
    left[Math.floor(best / run)]!--;
    groups.push(best);
    losses.push(least);
  }
}

function costOfColumn(values: Float64Array, inverse: Float64Array, n: number, col: number): number {
  let sum = 0;
  for (let at = col; at < values.length; at += n) sum += values[at]! ** 2;
  return sum / inverse[col * (n + 1)]!;
}

/** Removing columns one after another costs what removing them at once does: each step's loss is measured with those before it gone. */
function costOfColumns(values: Float64Array, inverse: Float64Array, n: number, left: number, right: number): number {
  const width = right - left;
  const small = new Float64Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j <= i; j++) small[i * width + j] = inverse[(left + i) * n + left + j]!;
  const height = values.length / n;
  const rows = new Float64Array(height * width);
  for (let row = 0; row < height; row++)
    for (let i = 0; i < width; i++) rows[row * width + i] = values[row * n + left + i]!;
  let cost = 0;
  for (let p = 0; p < width; p++) {
    const pivot = small[p * (width + 1)]!;
    for (let row = 0; row < height; row++) {
      const factor = rows[row * width + p]! / pivot;
      cost += factor * rows[row * width + p]!;
      for (let i = p + 1; i < width; i++) rows[row * width + i]! -= factor * small[i * width + p]!;
    }
    for (let i = p + 1; i < width; i++)
      for (let j = p + 1; j <= i; j++) small[i * width + j]! -= (small[i * width + p]! * small[j * width + p]!) / pivot;
  }
  return cost;
}

function removeColumn(
  values: Float64Array,
  inverse: Float64Array,
  n: number,
  col: number,
  live: Uint8Array,
  column: Float64Array,
): void {
  const pivot = inverse[col * (n + 1)]!;
  live[col] = 0;
  for (let i = 0; i < n; i++) {
    if (live[i] === 0) column[i] = 0;
    else column[i] = i > col ? inverse[i * n + col]! : inverse[col * n + i]!;
  }
  for (let base = 0; base < values.length; base += n) {
    const factor = values[base + col]! / pivot;
    for (let i = 0; i < n; i++) values[base + i] = values[base + i]! - factor * column[i]!;
    values[base + col] = 0;
  }
  for (let i = 0; i < n; i++) {
    const factor = column[i]! / pivot;
    if (factor === 0) continue;
    const base = i * n;
    for (let j = 0; j <= i; j++) inverse[base + j] = inverse[base + j]! - factor * column[j]!;
  }
}
