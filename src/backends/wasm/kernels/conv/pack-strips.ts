import type { ConvSpec } from "../../../specs/conv/conv.js";
import { type Func, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";
import { type Argument, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { fourApart } from "./frame.js";
import { channelFloats, type Strips } from "./strips.js";

/** Strips that a chunk packs side by side, so that each line of the image comes into the first cache once. */
const ABREAST = 16;
/** Vectors that a chunk packs, about. */
const VECTORS = 4096;

/**
 * Adds the launch that packs blocks [first, end) of rows of an image into strips; see `Strips`. `x` is channel 0 of the group. Pixels beyond the
 * image are zeros. Bound by its stores where the image is in the second cache.
 */
export function packStrips(
  spec: ConvSpec,
  strips: Strips,
  x: Argument,
  packed: Argument,
  [first, end]: readonly [number, number],
  to: Lowering,
): void {
  const { strides, input, output, pads, channels, group } = spec;
  const perGroup = channels / group;
  const perChunk = Math.max(1, Math.min(perGroup, Math.round((4 * VECTORS) / channelFloats(strips) / ABREAST)));
  const slices = Math.ceil(perGroup / perChunk);
  const abreast = Math.ceil(strips.groups / ABREAST);
  const args = [
    x,
    packed,
    input[0],
    input[1],
    output[1],
    pads[0],
    pads[1],
    perGroup,
    perChunk,
    slices,
    abreast,
    strips.groups,
    first,
    strips.tallCount,
  ];
  to.launch(packer(strips, strides), args, (end - first) * abreast * slices);
}

type I = Local<"i32">;
type Fourteen = [I, I, I, I, I, I, I, I, I, I, I, I, I, I];

/** Arguments as above. Chunk: a slice of the channels of some strips of a block of rows. */
const packer = (strips: Strips, strides: readonly [number, number]): KernelCode => ({
  key: `conv/pack-strips/${strips.tall}/${[strips.rows, strips.columns].map(phasesKey)}/${strides}`,
  build: () =>
    kernelFunction(14, (f, { chunk }, args) => {
      const [x, packed, height, width, ow, top, left, channels, perChunk, slices, abreast, groups, first, tallCount] =
        args as Fourteen;
      const { tall, rows, columns } = strips;
      const [tallStride, stride] = strides;
      const channelBytes = 4 * channelFloats(strips);
      const plane = f.local("i32", i32.shl(i32.mul(height, width), 2));
      const channel = f.local("i32", i32.mul(i32.rem_u(chunk, slices), perChunk));
      const count = f.local("i32", i32.sub(channels, channel));
      f.set(count, i32.min_s(count, perChunk));
      const unit = f.local("i32", i32.div_u(chunk, slices));
      const block = f.local("i32", i32.div_u(unit, abreast));
      const group = f.local("i32", i32.mul(i32.rem_u(unit, abreast), ABREAST));
      const groupEnd = f.local("i32", i32.add(group, ABREAST));
      f.set(groupEnd, i32.min_s(groupEnd, groups));
      const stripBytes = f.local("i32", i32.mul(channels, channelBytes));
      f.increment(packed, i32.mul(i32.add(i32.mul(block, groups), group), stripBytes));
      f.increment(packed, i32.mul(channel, channelBytes));
      f.increment(x, i32.mul(channel, plane));
      // The input row of the strip's first output row and first tap.
      const row = f.local("i32", i32.add(block, first));
      const shorter = f.local("i32", i32.sub(row, tallCount));
      f.set(row, i32.mul(row, tall));
      f.if(i32.gt_s(shorter, 0), () => f.set(row, i32.sub(row, shorter)));
      f.set(row, i32.sub(i32.mul(row, tallStride), top));
      const lastColumn = f.local("i32", i32.sub(ow, 4));

      f.for(0, count, 1, () => {
        const to = f.local("i32", packed);
        f.for(group, groupEnd, 1, (g) => {
          const column = f.local("i32", i32.shl(g, 2));
          f.set(column, i32.min_s(column, lastColumn));
          f.set(column, i32.sub(i32.mul(column, stride), left));
          const vector = f.local("i32", to);
          for (const part of columns.phases) {
            const at = f.local("i32", i32.add(column, part.first));
            f.for(0, part.count / 4, 1, () => {
              const line = f.local("i32", vector);
              for (const { first, count } of rows.phases) {
                const phaseRow = f.local("i32", i32.add(row, first));
                const place = { x, row: phaseRow, column: at, height, width, to: line };
                packRows(f, place, { count, tallStride, stride, pitch: 4 * columns.count });
                f.free(phaseRow);
              }
              f.increment(vector, 16);
              f.increment(at, 4 * stride);
              f.free(line);
            });
            f.free(at);
          }
          f.increment(to, stripBytes);
          f.free(column, vector);
        });
        f.increment(packed, channelBytes);
        f.increment(x, plane);
        f.free(to);
      });
    }),
});

const phasesKey = ({ phases }: Strips["rows"]): string => phases.map(({ first, count }) => `${first}+${count}`).join();

interface Rows {
  /** The plane. */
  readonly x: I;
  /** The first row's number in the image, and the first pixel's column; either may lie outside. */
  readonly row: I;
  readonly column: I;
  readonly height: I;
  readonly width: I;
  readonly to: I;
}

/** Packs `count` rows of 4 pixels, `tallStride` rows and `stride` columns apart, `pitch` bytes apart, and moves `to` behind them. */
function packRows(
  f: Func,
  { x, row, column, height, width, to }: Rows,
  { count, tallStride, stride, pitch }: { count: number; tallStride: number; stride: number; pitch: number },
): void {
  const step = f.local("i32", i32.shl(i32.mul(width, tallStride), 2));
  const line = f.local("i32", i32.add(x, i32.shl(i32.mul(row, width), 2)));
  const from = f.local("i32", i32.add(line, i32.shl(column, 2)));
  const lastRow = i32.add(row, (count - 1) * tallStride);
  const inside = i32.and(i32.ge_s(row, 0), i32.lt_s(lastRow, height));
  const whole = f.local("i32", i32.and(i32.ge_s(column, 0), i32.lt_s(i32.add(column, 3 * stride), width)));
  f.if(
    i32.and(whole, inside),
    () => {
      for (let i = 0; i < count; i++) {
        f.storeV128(to, fourApart(stride, from), pitch * i);
        if (i + 1 < count) f.increment(from, step);
      }
      f.increment(to, pitch * count);
    },
    () => {
      const number = f.local("i32", row);
      const end = f.local("i32", i32.add(to, pitch * count));
      const eachRow = (load: () => V128): void =>
        f.while(i32.lt_u(to, end), () => {
          f.if(
            i32.lt_u(number, height),
            () => f.storeV128(to, load()),
            () => f.storeV128(to, ZERO),
          );
          f.increment(number, tallStride);
          f.increment(line, step);
          f.increment(from, step);
          f.increment(to, pitch);
        });
      f.if(
        whole,
        () => eachRow(() => fourApart(stride, from)),
        () => {
          const lanes = [0, 1, 2, 3].map((lane) => i32.add(column, lane * stride));
          const numbers = lanes.reduce((v, lane, i) => i32x4.replace_lane(v, i, lane), i32x4.splat(0));
          const mask = f.local("v128", i32x4.lt_u(numbers, i32x4.splat(width)));
          // Lanes outside read the row's first pixel, and are masked.
          const offsets = lanes.map((lane) => f.local("i32", i32.shl(i32.select(i32.lt_u(lane, width), lane, 0), 2)));
          const at = (lane: number) => i32.add(line, offsets[lane]!);
          eachRow(() =>
            v128.and(
              [1, 2, 3].reduce((v, lane) => v128.load32_lane(at(lane), v, lane), v128.load32_zero(at(0))),
              mask,
            ),
          );
          f.free(mask, ...offsets);
        },
      );
      f.free(number, end);
    },
  );
  f.free(step, line, from, whole);
}
const ZERO = v128.const(new Array(16).fill(0));
