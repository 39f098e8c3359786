/**
 * How Y[M, N] = W[M, K] · X[K, N] is cut. A workgroup makes `rows` × `tokens` of Y, in steps of `depth` along K; in each step it brings
 * its parts of W and X into workgroup memory, k outermost. A thread makes `threadRows` neighbouring rows of 4 · `threadVectors` tokens.
 */
export interface Tile {
  readonly rows: number;
  readonly tokens: number;
  readonly depth: number;
  /** A loop over the k of a step rather than a line for each: quicker to compile, which is what matters on a CPU. */
  readonly rolled?: boolean;
  /** Steps in a trip of the loop along K, which is a multiple of them all. */
  readonly unroll: number;
  /** A multiple of 4. */
  readonly threadRows: number;
  readonly threadVectors: number;
}

export const tileText = ({ rows, tokens, depth, unroll, threadRows, threadVectors, rolled }: Tile): string =>
  `${rows}x${tokens}x${unroll === 1 ? "" : `${unroll}·`}${depth}/${threadRows}x${4 * threadVectors}${rolled ? "r" : ""}`;

/** The tile in a key that has a `tileText`. */
export function parseTile(key: string): Tile {
  const match = /(\d+)x(\d+)x(?:(\d+)·)?(\d+)\/(\d+)x(\d+)(r?)/.exec(key);
  if (match === null) throw new TypeError(`no tile in '${key}'`);
  const [rows, tokens, unroll, depth, threadRows, wide] = match
    .slice(1, 7)
    .map((n) => (n === undefined ? 1 : Number(n)));
  const tile = { rows: rows!, tokens: tokens!, depth: depth!, unroll: unroll!, threadRows: threadRows! };
  return { ...tile, threadVectors: wide! / 4, ...(match[7] === "r" ? { rolled: true } : {}) };
}

export const threadsOf = ({ rows, tokens, threadRows, threadVectors }: Tile): number =>
  (rows / threadRows) * (tokens / (4 * threadVectors));
