import { NonzeroError } from "../tensor/index.js";

/**
 * Shares of entries to prune, in percent, with at most six decimals. Of `count` things a pattern prunes
 * floor(percent × count / 100), computed exactly: never more than asked for.
 */

/** How many of `count` stay. */
export const keptOf = (percent: number, count: number): number => count - prunedOf(percent, count);

const prunedOf = (percent: number, count: number): number =>
  Number((BigInt(Math.round(percent * 1e6)) * BigInt(count)) / 100_000_000n);

/** The share that stays, 0 to 1. */
export const densityOf = (percent: number): number => (100 - percent) / 100;

/** @throws NonzeroError "invalid-argument" outside 0 to 100 or with more than six decimals. */
export function checkPercent(percent: number): void {
  if (!(percent >= 0 && percent <= 100)) throw new NonzeroError("invalid-argument", `${percent}% is not 0% to 100%`);
  if (Number(percent.toFixed(6)) !== percent) {
    throw new NonzeroError("invalid-argument", `${percent}% has more than six decimals`);
  }
}

/** The share, with as few decimals as it takes, that prunes exactly `pruned` of `count`; beyond 10^8 it may prune a few less. */
export function percentOf(pruned: number, count: number): number {
  if (count === 0) return 0;
  const exact = (100 * pruned) / count;
  for (let decimals = 0; decimals <= 6; decimals++) {
    const unit = 10 ** decimals;
    for (const percent of [Math.round(exact * unit) / unit, Math.min(100 * unit, Math.ceil(exact * unit)) / unit]) {
      if (prunedOf(percent, count) === pruned) return percent;
    }
  }
  return Math.floor(exact * 1e6) / 1e6;
}

/** Where `kept` holds its (keep + 1)-th one in start ≤ i < end, and how many ones there are; null when there are not that many. */
export function surplus(
  kept: Uint8Array,
  keep: number,
  start = 0,
  end = kept.length,
): { first: number; count: number } | null {
  let count = 0;
  let first = -1;
  for (let i = start; i < end; i++) {
    if (kept[i] !== 0 && ++count === keep + 1) first = i;
  }
  return first < 0 ? null : { first, count };
}
