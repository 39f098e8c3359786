/** A region that a plan needs from step `first` to step `last`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

const ALIGN = 64;

/**
 * Places regions in one arena so that none overlaps another that lives at the same time: in order of their first use, each in
 * the smallest gap that holds it. Returns the offset of each (multiples of 64) and the arena's size in bytes.
 */
export function placeInArena(lifetimes: readonly Lifetime[]): { offsets: number[]; bytes: number } {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const order = lifetimes
    .map((_, i) => i)
    .sort((a, b) => lifetimes[a]!.first - lifetimes[b]!.first || lifetimes[b]!.bytes - lifetimes[a]!.bytes);
  const live: { offset: number; end: number; last: number }[] = []; // by offset
  let bytes = 0;
  for (const i of order) {
    const { first, last, bytes: wanted } = lifetimes[i]!;
    const size = Math.max(ALIGN, Math.ceil(wanted / ALIGN) * ALIGN);
    for (let k = live.length - 1; k >= 0; k--) if (live[k]!.last < first) live.splice(k, 1);
    let best = -1;
    let bestGap = Number.POSITIVE_INFINITY;
    let at = 0;
    for (const region of live) {
      const gap = region.offset - at;
      if (gap >= size && gap < bestGap) [best, bestGap] = [at, gap];
      at = Math.max(at, region.end);
    }
    const offset = best >= 0 ? best : at;
    offsets[i] = offset;
    bytes = Math.max(bytes, offset + size);
    const place = live.findIndex((region) => region.offset > offset);
    live.splice(place < 0 ? live.length : place, 0, { offset, end: offset + size, last });
  }
  return { offsets, bytes };
}
