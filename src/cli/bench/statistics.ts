/** The q-quantile (0 to 1) of some numbers, linear between the two nearest (R's type 7, numpy's default). NaN for none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low === undefined || high === undefined ? Number.NaN : low + (high - low) * (at - Math.floor(at));
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/**
 * How many times as fast the contestant with times `ours` is as the one with times `theirs`: the median over the rounds of
 * theirs / ours, so that what slows a whole round down (another process, a lower clock) counts for neither. NaN without rounds.
 */
export const pairedRatio = (ours: readonly number[], theirs: readonly number[]): number =>
  median(ours.flatMap((ms, round) => (theirs[round] === undefined ? [] : [theirs[round] / ms])));
