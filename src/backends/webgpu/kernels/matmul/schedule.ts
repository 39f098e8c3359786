import { rowOrderOf, type SparseTensor } from "../../../../layouts/index.js";
import { type DeviceInfo, largestBuffer } from "../../kernel.js";
import { blockDepth } from "./fill-weights.js";
import { lineVectors } from "./lines.js";
import { allEntries, columnsDensity, entriesInOrder } from "./prepare.js";
import { type Tile, threadsOf } from "./tiling.js";

/** Eight rows of eight tokens a thread: 64 multiply-adds for each 16 floats read from workgroup memory. */
const LARGE: Tile = { rows: 128, tokens: 64, depth: 16, unroll: 2, threadRows: 8, threadVectors: 2 };
const MIDDLE: Tile = { ...LARGE, rows: 64 };
const SMALL: Tile = { ...LARGE, rows: 32, threadVectors: 1 };

/** Bytes of workgroup memory that every device has. */
const STORAGE = 16384;

/** Workgroups that keep a GPU busy. */
const BUSY = 64;

/** Subgroups this narrow are the vectors of a CPU. */
const isCpu = ({ subgroups }: DeviceInfo): boolean => subgroups !== null && subgroups.max <= 8;
const forDevice = (tile: Tile, device: DeviceInfo): Tile =>
  isCpu(device) ? { ...tile, unroll: 1, rolled: true } : tile;

/** Tiles for Y [M, N] in `batch` matrices: first the largest that makes enough workgroups, then the others that are no higher than Y. */
export function tilesFor(M: number, N: number, batch: number, device: DeviceInfo): readonly [Tile, ...Tile[]] {
  const groups = ({ rows, tokens }: Tile) => Math.ceil(M / rows) * Math.ceil(N / tokens) * batch;
  const fitting = [LARGE, MIDDLE].filter(({ rows }) => M >= rows);
  const best = fitting.find((tile) => groups(tile) >= BUSY) ?? SMALL;
  const others = [...fitting, SMALL].filter((tile) => tile !== best);
  return [forDevice(best, device), ...others.map((tile) => forDevice(tile, device))];
}

export const tileFor = (M: number, N: number, batch: number, device: DeviceInfo): Tile =>
  tilesFor(M, N, batch, device)[0];

/** How a sparse weight is multiplied by many tokens. */
export type Form =
  | { readonly kind: "bands"; readonly band: number; readonly slots: number }
  | { readonly kind: "columns"; readonly run: 1 | 4; readonly order?: ArrayLike<number> }
  | { readonly kind: "expand"; readonly pairs: boolean };

export interface TileSchedule {
  readonly tile: Tile;
  readonly form: Form;
}

/** The form, and the tile in place of `tile`, that suit a weight's layout. */
export function sparseSchedule(weight: SparseTensor, tile: Tile, device: DeviceInfo): TileSchedule {
  const { layout } = weight.stored;
  const numbers = (layout.match(/\d+/g) ?? []).map(Number);
  if (layout.startsWith("v:n:m:")) {
    const [v, n, m] = numbers as [number, number, number];
    // Half as many rows, where the steps of long groups do not fit into workgroup memory.
    const banded = bandedTile(tile, v, n, m) ?? bandedTile({ ...tile, rows: tile.rows / 2 }, v, n, m);
    if (banded !== null) return { tile: banded, form: { kind: "bands", band: v, slots: (banded.depth / m) * n } };
  }
  if (/^(bsr|bnm|cols|v:n:m)/.test(layout)) {
    const [height, width] = layout === "cols" ? [128, 1] : layout.startsWith("v") ? [numbers[0]!, 1] : numbers;
    const blocks = forDevice(blockTile(height!, width!), device);
    // Tiles higher than a block keep whatever one of their blocks keeps.
    if (columnsDensity(allEntries(weight), blocks.rows) < 0.8)
      return { tile: blocks, form: { kind: "columns", run: width! % 4 === 0 ? 4 : 1 } };
  }
  const order = rowOrderOf(weight.stored);
  if (order !== null && 4 * weight.stored.parts.values!.size <= largestBuffer(device) / 2) {
    const [height, width] = numbers;
    const blocks = forDevice(blockTile(height!, width!), device);
    if (columnsDensity(entriesInOrder(allEntries(weight), order), blocks.rows) < 0.8)
      return { tile: blocks, form: { kind: "columns", run: width! % 4 === 0 ? 4 : 1, order } };
  }
  // Two of each four: what a row keeps in a block of four k needs no looking up.
  const pairs = /^(semi-structured|(v:)?n:m:(\d+:)?2:4)$/.test(layout) && blockDepth(tile) === 4;
  return { tile, form: { kind: "expand", pairs } };
}

/** A tile whose threads lie inside bands of v rows and whose steps hold whole groups of m. */
function bandedTile(tile: Tile, v: number, n: number, m: number): Tile | null {
  if (v % 4 !== 0 || (tile.rows % v !== 0 && v % tile.rows !== 0)) return null;
  // The fewer k are kept, the more must be in a step for what each step costs besides multiplying.
  const deep = m > tile.depth || (8 * n <= m && tile.unroll > 1 && threadsOf(tile) >= 128);
  const step = deep ? { ...tile, depth: 2 * tile.depth, unroll: 1 } : tile;
  const slots = (step.depth / m) * n;
  const vectors = lineVectors(step, step.tokens) + (slots * step.rows) / 4;
  if (step.depth % m !== 0 || 16 * vectors > STORAGE) return null;
  return v % 8 === 0 ? step : { ...step, threadRows: 4, threadVectors: 2 * step.threadVectors };
}

/**
 * A tile that is no higher than a block, and divides it, where that leaves enough work for a workgroup. The lower a tile, the more of X
 * each thread brings for what it multiplies: registers that shorter steps save. Trips hold no more k than blocks, so that none is padded.
 */
function blockTile(height: number, width: number): Tile {
  const tile = lowTile(height, width);
  const steps = [tile.unroll, tile.unroll / 2].find((unroll) => width % (tile.depth * unroll) === 0);
  return { ...tile, unroll: steps ?? tile.unroll };
}

function lowTile(height: number, width: number): Tile {
  if (height % 128 === 0 && width % 4 !== 0) return LARGE;
  if (height % 64 === 0) return { ...LARGE, rows: 64, tokens: 128 };
  const low = { ...LARGE, tokens: 128, depth: 8, unroll: 4 };
  return height % 32 === 0 ? { ...low, rows: 32 } : { ...low, rows: 16, threadVectors: 1 };
}
