/** The middle one, or the mean of the middle two. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

/** Below this, not even the smallest of some values bounds their median with 97.5 % confidence. */
export const MIN_PAIRS = 6;

/**
 * Bounds of the median of what the values were drawn from, each of which holds with a confidence of at least 97.5 %, whatever the distribution:
 * the k-th smallest and the k-th largest value, k the most for which fewer than k heads in that many tosses have a chance of 2.5 % or
 * less (the sign test's interval). At least `MIN_PAIRS` values.
 */
export function bounds(values: readonly number[]): { readonly low: number; readonly high: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let [k, chance, below] = [0, 2 ** -n, 0];
  for (; below + chance <= 0.025; k++) {
    below += chance;
    chance *= (n - k) / (k + 1);
  }
  return { low: sorted[k - 1]!, high: sorted[n - k]! };
}
