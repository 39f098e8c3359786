import type { ValueDataType } from "../../../../layouts/index.js";
import type { Entries } from "../../../specs/matmul/weights.js";
import { bytesPerValue, valueWriter } from "../matmul/prepare.js";
import { LANES } from "./device.js";

/** Rows of a tile: of all of its tokens, a lane has so many vectors. */
export type TileRows = 4 | 8 | 16;

/**
 * How tiles find the k of a step. "all": every k, one after the other. "table": the same, and `kept` says where each of them is in x. "list": those
 * that any row of the tile keeps, in `kept`; `starts` holds each tile's first step, and the end. "runs": the same in runs of four neighbours, of
 * which `kept` has the first.
 */
export type Columns = "all" | "table" | "list" | "runs";

/** W [M, K] in tiles of `rows` rows, padded with zeros: `w` holds, for each tile and each step of four k, [k][row]. */
export interface PackedWeights {
  readonly rows: TileRows;
  readonly columns: Columns;
  readonly values: ValueDataType;
  /** Steps of each tile, or, where they differ, of all. */
  readonly steps: number;
  readonly bytes: { readonly w: number; readonly kept: number; readonly starts: number };
  readonly fill: Readonly<Record<"w" | "kept" | "starts", (target: Uint8Array) => void>>;
}

/** Four k. */
const STEP = LANES;

/** Nanoseconds for each vector of multiply-adds of the kernels with tiles of so many rows, on one machine. */
const COSTS: readonly (readonly [TileRows, number])[] = [
  [16, 2.5],
  [8, 3.2],
  [4, 4.9],
];
const HIGHEST = COSTS[0]![0];

/** With more of all k kept, none is looked up. */
const MOST_KEPT = 0.9;

/** The k that each tile's rows keep, in whole steps: the last k again where there are fewer. */
interface TileLists {
  /** First step of each tile, and the end. */
  readonly starts: Uint32Array;
  readonly k: Uint32Array;
}

function listsOf({ rows, cols, start, columns }: Entries, height: number): TileLists {
  const tiles = Math.ceil(rows / height);
  const starts = new Uint32Array(tiles + 1);
  const marks = new Uint32Array(cols);
  const k: number[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    const end = start[Math.min(rows, (tile + 1) * height)]!;
    for (let i = start[tile * height]!; i < end; i++) marks[columns[i]!] = tile + 1;
    for (let col = 0; col < cols; col++) if (marks[col] === tile + 1) k.push(col);
    while (k.length % STEP !== 0) k.push(k.at(-1)!);
    starts[tile + 1] = k.length / STEP;
  }
  return { starts, k: Uint32Array.from(k) };
}

const inRuns = ({ k }: TileLists): boolean =>
  k.every((col, i) => (i % STEP === 0 ? col % STEP === 0 : col === k[i - 1]! + 1));

const wordsOf = (target: Uint8Array): Uint32Array =>
  new Uint32Array(target.buffer, target.byteOffset, target.byteLength >> 2);

/** Every k, and the last again up to a whole step. */
const everyK = (K: number): Uint32Array =>
  Uint32Array.from({ length: Math.ceil(K / STEP) * STEP }, (_, k) => Math.min(k, K - 1));

/** Where a k is in x, if not `k` times something. */
export type Place = (k: number) => number;

interface Parts {
  readonly rows: TileRows;
  readonly columns: Columns;
  readonly values: ValueDataType;
  readonly steps: number;
  readonly w: (target: Uint8Array) => void;
  readonly weights: number;
  readonly kept: Uint32Array;
  readonly starts: Uint32Array;
}

function packed({ rows, columns, values, steps, w, weights, kept, starts }: Parts): PackedWeights {
  const copy = (list: Uint32Array) => (target: Uint8Array) => wordsOf(target).set(list);
  const bytes = { w: weights * bytesPerValue(values), kept: 4 * kept.length, starts: 4 * starts.length };
  return {
    ...{ rows, columns, values, steps },
    bytes: { w: Math.max(16, bytes.w), kept: Math.max(16, bytes.kept), starts: Math.max(16, bytes.starts) },
    fill: { w, kept: copy(kept), starts: copy(starts) },
  };
}

/** Rows to a tile by what is kept: the higher a tile, the more rows share what is loaded, and the more k one of them keeps. */
export function packEntries(entries: Entries, place: Place | null = null): PackedWeights {
  const { rows: M, cols: K, start, columns, values, dtype } = entries;
  const candidates = COSTS.map(([rows, cost]) => {
    const lists = listsOf(entries, rows);
    const kept = (STEP * lists.starts.at(-1)!) / Math.max(1, (lists.starts.length - 1) * K);
    return { rows, lists, kept, cost: cost * Math.min(1, kept) };
  });
  const best = candidates.reduce((a, b) => (b.cost < a.cost ? b : a));
  const all = best.kept > MOST_KEPT;
  const rows = all ? HIGHEST : best.rows;
  const tiles = Math.ceil(M / rows);
  const perTile = Math.ceil(K / STEP);
  const starts = all ? Uint32Array.from({ length: tiles + 1 }, (_, tile) => tile * perTile) : best.lists.starts;
  const k = all ? everyK(K) : best.lists.k;
  const w = (target: Uint8Array): void => {
    const write = valueWriter(entries, target);
    const placeOf = Uint32Array.from({ length: K }, (_, col) => col);
    for (let tile = 0; tile < tiles; tile++) {
      const from = starts[tile]! * STEP;
      // The first of equal k has the values.
      if (!all) for (let i = starts[tile + 1]! * STEP - 1; i >= from; i--) placeOf[k[i]!] = i - from;
      for (let row = tile * rows; row < Math.min(M, (tile + 1) * rows); row++) {
        for (let i = start[row]!; i < start[row + 1]!; i++) {
          write((from + placeOf[columns[i]!]!) * rows + row - tile * rows, values[i]!);
        }
      }
    }
  };
  const inTable = place === null ? k : k.map(place);
  const runs = place === null && inRuns(best.lists);
  return packed({
    ...{ rows, values: dtype, w, weights: starts.at(-1)! * STEP * rows },
    columns: all ? (place === null ? "all" : "table") : runs ? "runs" : "list",
    steps: all ? perTile : starts.at(-1)!,
    kept: runs && !all ? k.filter((_, i) => i % STEP === 0) : inTable,
    starts,
  });
}

/** A dense W of `data[row · ofRow + k · ofK]`. */
export function packDense(
  data: Float32Array,
  [M, K]: readonly [number, number],
  [ofRow, ofK]: readonly [number, number],
  place: Place | null = null,
): PackedWeights {
  const rows = HIGHEST;
  const steps = Math.ceil(K / STEP);
  const weights = Math.ceil(M / rows) * steps * STEP * rows;
  const w = (target: Uint8Array): void => {
    const into = new Float32Array(target.buffer, target.byteOffset, weights);
    for (let row = 0; row < M; row++) {
      const at = Math.floor(row / rows) * steps * STEP * rows + (row % rows);
      for (let k = 0; k < K; k++) into[at + k * rows] = data[row * ofRow + k * ofK]!;
    }
  };
  const kept = place === null ? new Uint32Array() : everyK(K).map(place);
  return packed({
    ...{ rows, values: "float32", steps, w, weights, kept, starts: new Uint32Array() },
    columns: place === null ? "all" : "table",
  });
}
