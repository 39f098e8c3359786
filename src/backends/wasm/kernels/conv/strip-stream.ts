import type { SparseTensor as Sparse } from "../../../../layouts/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { entriesOf, type RowRange } from "../../../specs/matmul/weights.js";
import { type Stream, streamOf, writeStream } from "../matmul/stream.js";
import { channelFloats, type Strips, tapFloats } from "./strips.js";

/** How a weight's columns, kernel positions × channels, are numbered as floats of a strip. */
export interface StripNumbers {
  readonly channels: number;
  readonly kernel: readonly [height: number, width: number];
  readonly strips: Strips;
  /** Channels of a slab. */
  readonly slab: number;
}

const streams = new WeakMap<Sparse, Map<string, Stream>>();
let latest: { weight: Sparse; key: string; numbered: Sparse } | null = null;

/** What a stream depends on besides the weight. */
export const numbersKey = ({ strips: { rows, columns }, slab }: StripNumbers): string =>
  `${rows.count}:${rows.taps}/${columns.count}:${columns.taps}/${slab}`;

/** How rows [begin, end) of `weight` are streamed over strips. */
export function stripStreamOf(weight: Sparse, range: RowRange, numbers: StripNumbers): Stream {
  let known = streams.get(weight);
  if (known === undefined) {
    known = new Map();
    streams.set(weight, known);
  }
  const key = `${range}/${numbersKey(numbers)}`;
  let stream = known.get(key);
  if (stream === undefined) {
    const numbered = numberedBy(weight, range, numbers);
    stream = streamOf(numbered, [0, numbered.stored.rows], channelFloats(numbers.strips) * numbers.slab);
    known.set(key, stream);
  }
  return stream;
}

/** Writes it into `target`, `stream.bytes` zeroed bytes. */
export function writeStripStream(
  weight: Sparse,
  range: RowRange,
  numbers: StripNumbers,
  stream: Stream,
  target: Uint8Array,
): void {
  const numbered = numberedBy(weight, range, numbers);
  latest = null;
  writeStream(numbered, [0, numbered.stored.rows], stream, target);
}

/** The rows as a matrix [rows, floats of a strip] that keeps the same values, each at the column where its inputs begin. */
function numberedBy(weight: Sparse, range: RowRange, numbers: StripNumbers): Sparse {
  const key = `${range}/${numbersKey(numbers)}`;
  if (latest?.weight === weight && latest.key === key) return latest.numbered;
  const { channels, kernel, strips } = numbers;
  const floats = channelFloats(strips);
  const { rows, start, columns, values, dtype, scales } = entriesOf(weight, range);
  const taps = Array.from({ length: kernel[0] * kernel[1] }, (_, tap) =>
    tapFloats(strips, [Math.floor(tap / kernel[1]), tap % kernel[1]]),
  );
  const numberOf = (column: number): number => (column % channels) * floats + taps[Math.floor(column / channels)]!;
  const numbered = columns.map(numberOf);
  const order = Uint32Array.from(columns.keys());
  for (let row = 0; row < rows; row++) {
    order.subarray(start[row]!, start[row + 1]!).sort((a, b) => numbered[a]! - numbered[b]!);
  }
  const cols = channels * floats;
  const count = columns.length;
  const parts = {
    crow_indices: new Tensor("uint32", [rows + 1], start),
    col_indices: new Tensor(
      "uint32",
      [count],
      Uint32Array.from(order, (i) => numbered[i]!),
    ),
    values: new Tensor(dtype as "float32", [count], values.map((_, i) => values[order[i]!]!) as Float32Array),
    ...(scales === null ? {} : { scales: new Tensor("float32", [rows], scales) }),
  };
  const matrix = new SparseTensor([rows, cols], [0, 1], { layout: "csr", rows, cols, dtype: "float32", parts });
  latest = { weight, key, numbered: matrix };
  return matrix;
}
