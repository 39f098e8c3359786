/** One measurement: what each term counts there, and the seconds that it took. */
export interface Point {
  readonly terms: readonly number[];
  readonly seconds: number;
}

const SWEEPS = 3000;

/**
 * Seconds of each term, none negative, that make the sum of squared relative errors least: coordinate descent, where each step is exact
 * (Franc, Hlaváč and Navara, 2005, "Sequential coordinate-wise algorithm for the non-negative least squares problem").
 */
export function fitSeconds(points: readonly Point[]): number[] {
  const count = points[0]?.terms.length ?? 0;
  // Each term in units of its largest share, so that all coordinates are alike.
  const rows = points.map(({ terms, seconds }) => terms.map((term) => term / seconds));
  const scale = Array.from({ length: count }, (_, j) => Math.max(...rows.map((row) => row[j]!)) || 1);
  const a = rows.map((row) => row.map((value, j) => value / scale[j]!));
  const solution = new Array<number>(count).fill(0);
  const residual = points.map(() => -1); // a·solution - 1
  const squares = solution.map((_, j) => a.reduce((sum, row) => sum + row[j]! ** 2, 0));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (let j = 0; j < count; j++) {
      if (squares[j] === 0) continue;
      const slope = a.reduce((sum, row, i) => sum + row[j]! * residual[i]!, 0);
      const next = Math.max(0, solution[j]! - slope / squares[j]!);
      const change = next - solution[j]!;
      if (change === 0) continue;
      solution[j] = next;
      a.forEach((row, i) => {
        residual[i]! += change * row[j]!;
      });
    }
  }
  return solution.map((value, j) => value / scale[j]!);
}

/** |predicted − measured| / measured of each point. */
export const relativeErrors = (points: readonly Point[], seconds: readonly number[]): number[] =>
  points.map((point) => Math.abs(dot(point.terms, seconds) - point.seconds) / point.seconds);

export const dot = (terms: readonly number[], seconds: readonly number[]): number =>
  terms.reduce((sum, term, i) => sum + term * (seconds[i] ?? 0), 0);
