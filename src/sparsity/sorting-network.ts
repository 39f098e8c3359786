/** Two places of a list; the larger value goes to the second. */
export type Comparator = readonly [number, number];

/**
 * Bose and Nelson's sorting network (1962) for a power of two: comparators in order, ascending. PyTorch's and xFormers' 2:4 kernels
 * sort by it, so that ties come out as theirs only where a comparator swaps whatever is not strictly ascending.
 */
export function boseNelson(size: number, first = 0): readonly Comparator[] {
  if (size === 1) return [];
  const half = size / 2;
  return [...boseNelson(half, first), ...boseNelson(half, first + half), ...merge(first, first + half, half)];
}

/** Merges the sorted runs of `size` values from `a` and from `b` on. */
function merge(a: number, b: number, size: number): readonly Comparator[] {
  if (size === 1) return [[a, b]];
  const half = size / 2;
  return [...merge(a, b, half), ...merge(a + half, b + half, half), ...merge(a + half, b, half)];
}

/**
 * Places 0, 1, … by ascending value, as a network leaves them: a comparator leaves a pair alone only when its first value is less than its
 * second, so equal values swap, and so does anything with a NaN.
 */
export function sortedPlaces(values: ArrayLike<number>, network: readonly Comparator[]): number[] {
  const places = Array.from(values, (_, place) => place);
  for (const [low, high] of network) {
    const [a, b] = [places[low]!, places[high]!];
    if (values[a]! < values[b]!) continue;
    places[low] = b;
    places[high] = a;
  }
  return places;
}
