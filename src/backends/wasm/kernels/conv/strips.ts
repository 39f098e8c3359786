import { type ConvSpec, pixelsOf } from "../../../specs/conv/conv.js";

/**
 * An image cut into strips: a strip's output is `tall` (or `tall` - 1) rows × 4 columns of an output plane, a vector of 4 pixels
 * a row, so that it is computed in as many accumulators. Its input is packed as floats [channels, rows, rowFloats]: the pixels that
 * the strip's taps meet, zeros where they lie beyond the image. A tap then multiplies one vector in each of `tall` neighbouring rows, and which tap it
 * is only says where the first lies: each kept weight is a run of loads `rowFloats` apart, and nothing is unfolded. For 3×3 taps
 * 2 · (12 + 2) / 12 = 2.3 floats are packed for each of the image, where unfolding writes 9; rows of 8 floats never cross a cache line.
 *
 * With strides, rows whose number is the same modulo the stride are neighbours, and in a row the columns: [phases, rows], [phases, columns].
 */
export interface Strips {
  /** Output rows of the first `tallCount` blocks of rows; the others have one fewer. */
  readonly tall: number;
  readonly tallCount: number;
  /** Blocks of rows, and groups of 4 columns in each; the last group ends with the row and may overlap the one before. */
  readonly blocks: number;
  readonly groups: number;
  readonly rows: Packed;
  /** `count` and `taps` in floats; each phase takes whole vectors. */
  readonly columns: Packed;
}

/** How one axis of the input is packed. */
interface Packed {
  /** Rows (or floats of a row) in all. */
  readonly count: number;
  /** Pixels first, first + stride, … from the strip's first on. */
  readonly phases: readonly { readonly first: number; readonly count: number }[];
  /** Where the first output's input for each tap lies. */
  readonly taps: readonly number[];
}

/** Rows of a strip, at most: the accumulators of a tile, beside which dense products have a second output's. */
const TALLEST = { sparse: 12, dense: 6 } as const;
const LANES = 4;

const tallestOf = ({ sparse }: Pick<ConvSpec, "sparse">): number => TALLEST[sparse ? "sparse" : "dense"];

/** How a convolution's image is cut; its output must be at least 4 columns wide. */
export function stripsOf({
  output,
  kernel,
  strides,
  dilations,
  sparse,
}: Pick<ConvSpec, "output" | "kernel" | "strides" | "dilations" | "sparse">): Strips {
  const [height, width] = output;
  const blocks = Math.ceil(height / tallestOf({ sparse }));
  const tall = Math.ceil(height / blocks);
  return {
    tall,
    tallCount: height - blocks * (tall - 1),
    blocks,
    groups: Math.ceil(width / LANES),
    rows: packedAxis(tall, kernel[0], strides[0], dilations[0], 1),
    columns: packedAxis(LANES, kernel[1], strides[1], dilations[1], LANES),
  };
}

/** The input of `outputs` neighbouring outputs along an axis; each phase takes a multiple of `unit`. */
function packedAxis(outputs: number, kernel: number, stride: number, dilation: number, unit: number): Packed {
  const offsets = Array.from({ length: kernel }, (_, k) => k * dilation);
  const phases: { first: number; count: number }[] = [];
  const begins = new Map<number, number>();
  let count = 0;
  for (const phase of new Set(offsets.map((offset) => offset % stride))) {
    const ofPhase = offsets.filter((offset) => offset % stride === phase);
    const first = ofPhase[0]!;
    const inPhase = Math.ceil((outputs + (ofPhase.at(-1)! - first) / stride) / unit) * unit;
    begins.set(phase, count - (first - phase) / stride);
    phases.push({ first, count: inPhase });
    count += inPhase;
  }
  const taps = offsets.map((offset) => begins.get(offset % stride)! + Math.floor(offset / stride));
  return { count, phases, taps };
}

/** Floats of one channel of one strip. */
export const channelFloats = ({ rows, columns }: Strips): number => rows.count * columns.count;

/** Where a tap's input for the strip's first row lies, in floats. */
export const tapFloats = ({ rows, columns }: Strips, [ky, kx]: readonly [number, number]): number =>
  rows.taps[ky]! * columns.count + columns.taps[kx]!;

/** Cycles, measured: to pack a vector in strips, to unfold one (the frame included), and what a tile takes for each weight besides half a cycle a vector. */
const PACK = 2;
const UNFOLD = 3;
const TILE = 0.4;

/**
 * Whether strips take less time than unfolding, where `kept` of the weights are kept. They pack less, but a width that is no multiple of 4
 * costs whole vectors, and low tiles load more for each multiply-add.
 */
export function stripsPay(spec: ConvSpec, kept: number): boolean {
  const { kernel, output, group } = spec;
  if (output[1] < LANES || kernel[0] < 2) return false;
  const strips = stripsOf(spec);
  const taps = kernel[0] * kernel[1];
  const product = (vectors: number, tiles: number): number =>
    taps * (spec.outputs / group) * kept * (vectors / 2 + TILE * tiles);
  const count = strips.blocks * strips.groups;
  const flat = Math.ceil(pixelsOf(spec) / LANES);
  const packed = (count * channelFloats(strips)) / LANES;
  return (
    PACK * packed + product(strips.groups * output[0], count) <
    UNFOLD * taps * flat + product(flat, Math.ceil(flat / tallestOf(spec)))
  );
}
