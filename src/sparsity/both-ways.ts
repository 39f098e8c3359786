import { NonzeroError } from "../tensor/index.js";
import type { Mask, Matrix } from "./mask.js";
import { boseNelson, sortedPlaces } from "./sorting-network.js";

/**
 * 2:4 both ways: of each 4×4 tile at most two entries in each row and in each column are kept, so that a matrix and its transpose are both
 * 2:4 and both products of a training step may skip.
 *
 * | algorithm | keeps of each tile |
 * | --- | --- |
 * | `largest_abs_values_greedy` | from the largest magnitude to the smallest, what its row and its column have room for: 7 or 8 entries |
 * | `largest_values_greedy` | the same by signed value, PyTorch's default: large negative values go first |
 * | `best` | of the 90 ways to keep exactly two in each row and column, the one of the largest sum of magnitudes |
 *
 * The greedy ones are PyTorch's `torch._sparse_semi_structured_tile` and xFormers' `sparsify24`, ties included: the order is the one in which
 * `boseNelson(16)` leaves the tile. A NaN is neither less nor greater than anything there, as in PyTorch, so that it lands wherever the
 * network takes it.
 *
 * `best` (NVIDIA ASP's `m4n2_2d_best`) adds float32 magnitudes in a fixed order: two of a row, the rows of the upper and of the lower half, both
 * halves. (Seven that no eighth can join may still be worth more than these eight; the greedy ones keep such in a sixth of normal tiles.) Magnitudes above 2^124, infinities and NaN among them, count as 2^124, so that no sum overflows. Equal sums: see `bestTile`.
 */
export type BothWaysAlgorithm = "largest_abs_values_greedy" | "largest_values_greedy" | "best";

export const BOTH_WAYS_ALGORITHMS: readonly BothWaysAlgorithm[] = [
  "largest_abs_values_greedy",
  "largest_values_greedy",
  "best",
];

/** The kept entries of a tile: bit 4 × row + column. */
export type TileMask = number;

/** What each 4×4 tile keeps, row-major [rows / 4, cols / 4]. @throws NonzeroError "shape" unless 4 divides rows and columns. */
export function selectTiles({ rows, cols, data }: Matrix, algorithm: BothWaysAlgorithm): Uint16Array {
  checkTiled(rows, cols);
  const select = algorithm === "best" ? bestTile : greedyTile;
  const ranked = algorithm === "largest_values_greedy" ? data : data.map(algorithm === "best" ? magnitude : Math.abs);
  const masks = new Uint16Array((rows * cols) / 16);
  const tile = new Float32Array(16);
  masks.forEach((_, t) => {
    const corner = 4 * (Math.floor(t / (cols / 4)) * cols + (t % (cols / 4)));
    for (let i = 0; i < 16; i++) tile[i] = ranked[corner + (i >> 2) * cols + (i & 3)]!;
    masks[t] = select(tile);
  });
  return masks;
}

/** A mask that is 2:4 along the rows and along the columns. @throws NonzeroError "shape" unless 4 divides rows and columns. */
export const selectBothWays = (matrix: Matrix, algorithm: BothWaysAlgorithm): Mask =>
  maskOfTiles(selectTiles(matrix, algorithm), matrix.rows, matrix.cols);

/** @throws NonzeroError "shape" unless 4 divides both. */
export function checkTiled(rows: number, cols: number): void {
  if (rows % 4 === 0 && cols % 4 === 0) return;
  throw new NonzeroError("shape", `a ${rows}×${cols} matrix is not made of 4×4 tiles`);
}

/** The mask that keeps what the tiles keep. */
export function maskOfTiles(tiles: Uint16Array, rows: number, cols: number): Mask {
  const data = new Uint8Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const tile = tiles[(row >> 2) * (cols / 4) + (col >> 2)]!;
      data[row * cols + col] = (tile >> (4 * (row & 3) + (col & 3))) & 1;
    }
  }
  return { rows, cols, data };
}

const NETWORK = boseNelson(16);

/** From the largest value to the smallest: what its row and its column have room for. */
function greedyTile(tile: Float32Array): TileMask {
  const [inRow, inCol] = [new Uint8Array(4), new Uint8Array(4)];
  let mask = 0;
  for (const place of sortedPlaces(tile, NETWORK).reverse()) {
    const [row, col] = [place >> 2, place & 3];
    if (inRow[row]! === 2 || inCol[col]! === 2) continue;
    inRow[row]!++;
    inCol[col]!++;
    mask |= 1 << place;
  }
  return mask;
}

const LARGEST = 2 ** 124;
const magnitude = (x: number): number => (Math.abs(x) < LARGEST ? Math.abs(x) : LARGEST);

/** Two of four columns, as bits. */
const PAIRS = [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100];

/** How two rows may share the columns, and the ways to do it. */
export interface HalfTiles {
  /** How often each column is kept: 0, 1 or 2 times. */
  readonly counts: readonly number[];
  /** Pairs of columns that the first and the second row keep. */
  readonly ways: readonly (readonly [number, number])[];
  /** The index of the half that complements this one to two of each column. */
  readonly complement: number;
}

/**
 * The 36 ways to keep two of four columns in each of two rows, by how often they keep each column: 19 halves in the order of their first
 * way, rows' pairs counted 1100, 1010, 1001, 0110, 0101, 0011 (column 0 first), the first row slowest. A half and its complement are a tile.
 */
export const HALF_TILES: readonly HalfTiles[] = halfTiles();

function halfTiles(): HalfTiles[] {
  const halves = new Map<string, { counts: readonly number[]; ways: [number, number][] }>();
  for (const first of PAIRS) {
    for (const second of PAIRS) {
      const counts = [0, 1, 2, 3].map((col) => ((first >> col) & 1) + ((second >> col) & 1));
      const half = halves.get(`${counts}`) ?? { counts, ways: [] };
      half.ways.push([first, second]);
      halves.set(`${counts}`, half);
    }
  }
  const keys = [...halves.keys()];
  return [...halves.values()].map((half) => ({
    ...half,
    complement: keys.indexOf(`${half.counts.map((count) => 2 - count)}`),
  }));
}

/**
 * For each way in which the upper two rows may share the columns: the best upper rows and the best lower rows that complement them. Of these 19
 * tiles the best. Equal sums keep the first, in the order of `HALF_TILES`.
 */
function bestTile(tile: Float32Array): TileMask {
  const sum = (row: number, pair: number): number =>
    Math.fround(tile[4 * row + 31 - Math.clz32(pair & -pair)]! + tile[4 * row + 31 - Math.clz32(pair)]!);
  const bestWay = (row: number, { ways }: HalfTiles): { sum: number; mask: number } =>
    ways
      .map(([a, b]) => ({ sum: Math.fround(sum(row, a) + sum(row + 1, b)), mask: a | (b << 4) }))
      .reduce((best, way) => (way.sum > best.sum ? way : best));
  return HALF_TILES.map((half) => {
    const [upper, lower] = [bestWay(0, half), bestWay(2, HALF_TILES[half.complement]!)];
    return { sum: Math.fround(upper.sum + lower.sum), mask: upper.mask | (lower.mask << 8) };
  }).reduce((best, way) => (way.sum > best.sum ? way : best)).mask;
}

/**
 * Row-wise 2:4 by xFormers' names: the two largest of each four columns, by value or by magnitude, whatever the columns get. Ties as in xFormers:
 * the order is the one in which `boseNelson(4)` leaves the four.
 */
export type RowsAlgorithm = "largest_abs_notranspose" | "largest_notranspose";

/**
 * A mask that keeps two of each four columns, exactly. For other n:m, and for ties that keep the first, see `Pattern.select`.
 * @throws NonzeroError "shape" unless 4 divides the columns.
 */
export function selectRows24({ rows, cols, data }: Matrix, algorithm: RowsAlgorithm): Mask {
  if (cols % 4 !== 0) throw new NonzeroError("shape", `rows of ${cols} columns are not made of groups of four`);
  const ranked = algorithm === "largest_notranspose" ? data : data.map(Math.abs);
  const kept = new Uint8Array(rows * cols);
  for (let start = 0; start < kept.length; start += 4) {
    const [, , second, first] = sortedPlaces(ranked.subarray(start, start + 4), FOUR);
    kept[start + first!] = 1;
    kept[start + second!] = 1;
  }
  return { rows, cols, data: kept };
}

const FOUR = boseNelson(4);
