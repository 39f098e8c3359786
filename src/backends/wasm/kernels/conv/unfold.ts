import type { ConvSpec } from "../../../specs/conv/conv.js";
import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { forWidths, type Panels, packedBytes, widthsOf } from "../matmul/panels.js";
import type { Frame } from "./frame.js";

/** Rows of X that a chunk fills, about. */
const ROWS = 256;

/**
 * Packs X [kernel positions × channels, pixels] for pixels first … first + panels.N - 1 of the output (im2col; `torch.nn.Unfold`) into panels:
 * row (kh, kw, c), column p is the input that tap (kh, kw) of channel c meets at pixel p. `channel` is the group's first.
 */
export function unfold(
  spec: ConvSpec,
  frame: Frame,
  channel: number,
  first: number,
  panels: Panels,
  to: Lowering,
): Buffer {
  const { kernel, strides, dilations, output, channels, group } = spec;
  const packed = to.scratch(packedBytes(panels));
  const perGroup = channels / group;
  const taps = kernel[0] * kernel[1];
  const tapsOfChunk = Math.max(1, Math.min(taps, Math.round(ROWS / perGroup)));
  const slices = Math.ceil(taps / tapsOfChunk);
  const args: Argument[] = [
    frame.image,
    packed,
    perGroup,
    kernel[1],
    taps,
    tapsOfChunk,
    slices,
    frame.plane,
    frame.phase,
    dilations[0] * frame.row,
    strides[0] * frame.row,
    output[1],
    first,
    panels.N,
    panels.wideCount,
    channel * frame.plane,
  ];
  to.launch(unfolder(widthsOf(panels), strides[1], dilations[1]), args, panels.count * slices);
  return packed;
}

type I = Local<"i32">;

const unfolder = (widths: readonly number[], stride: number, dilation: number): KernelCode => ({
  key: `conv/unfold/${widths}/${stride}/${dilation}`,
  build: () =>
    kernelFunction(16, (f, { chunk }, args) => {
      const [image, packed, channels, kw, taps, tapsOfChunk, slices, plane, phase, tapRow, pixelRow, ow, first, N] =
        args as I[];
      const [wideCount, start] = args.slice(14) as [I, I];
      const pitch = 16 * widths[0]!;
      f.increment(image!, start);
      const p = f.local("i32", i32.div_u(chunk, slices!));
      const tap = f.local("i32", i32.mul(i32.rem_u(chunk, slices!), tapsOfChunk!));
      const tapsEnd = f.local("i32", i32.add(tap, tapsOfChunk!));
      f.set(tapsEnd, i32.min_s(tapsEnd, taps!));
      f.increment(packed!, i32.mul(i32.mul(i32.add(i32.mul(p, taps!), tap), channels!), pitch));
      const last = f.local("i32", i32.sub(N!, 1));

      /** Where pixel `column` (at most the last) of the band lies in a plane, for tap (0, 0). Its column in the row is left in `x`. */
      const pixelOffset = (pixel: I, x: I): ReturnType<typeof i32.add> => {
        f.set(pixel, i32.add(i32.min_s(pixel, last), first!));
        f.set(x, i32.rem_u(pixel, ow!));
        return i32.add(i32.mul(i32.div_u(pixel, ow!), pixelRow!), i32.shl(x, 2));
      };

      /** Runs `body` for each row of this chunk: its inputs' plane moved by the tap, and where it goes. */
      const forRows = (body: (from: I, to: I) => void): void => {
        const to = f.local("i32", packed!);
        f.for(tap, tapsEnd, 1, (t) => {
          const shift = f.local("i32", i32.mul(i32.rem_u(t, kw!), dilation));
          const from = f.local("i32", i32.add(image!, i32.mul(i32.div_u(t, kw!), tapRow!)));
          if (stride === 1) f.increment(from, i32.shl(shift, 2));
          else {
            f.increment(from, i32.mul(i32.rem_u(shift, stride), phase!));
            f.increment(from, i32.shl(i32.div_u(shift, stride), 2));
          }
          f.for(0, channels!, 1, () => {
            body(from, to);
            f.increment(from, plane!);
            f.increment(to, pitch);
          });
          f.free(shift, from);
        });
        f.free(to);
      };

      forWidths(f, widths, p, wideCount, (width, column) => {
        const offsets = f.localArray("i32", width);
        const broken = f.local("i32", 0);
        const pixel = f.local("i32");
        const x = f.local("i32");
        offsets.forEach((offset, j) => {
          f.set(pixel, i32.add(column, 4 * j));
          f.set(offset, i32.gt_s(i32.add(pixel, 3), last));
          f.set(offset, i32.or(offset, i32.gt_s(i32.rem_u(i32.add(pixel, first!), ow!), i32.sub(ow!, 4))));
          f.if(
            offset,
            () => {
              f.set(broken, i32.or(broken, 1 << j));
              f.set(offset, 0);
            },
            () => f.set(offset, pixelOffset(pixel, x)),
          );
        });
        forRows((from, to) => {
          offsets.forEach((offset, j) => {
            f.storeV128(to, v128.load(i32.add(from, offset)), 16 * j);
          });
        });
        mendBroken(f, broken, column, (pixel) => pixelOffset(pixel, x), forRows);
        f.free(...offsets, broken, pixel, x);
      });
    }),
});

/** Fills the vectors that `broken` has a bit for, whose pixels are not neighbours in one row, lane by lane. */
function mendBroken(
  f: Func,
  broken: I,
  column: I,
  offsetOf: (pixel: I) => ReturnType<typeof i32.add>,
  forRows: (body: (from: I, to: I) => void) => void,
): void {
  f.while(broken, () => {
    const j = f.local("i32", i32.ctz(broken));
    f.set(broken, i32.and(broken, i32.sub(broken, 1)));
    const pixel = f.local("i32");
    const lanes = [0, 1, 2, 3].map((lane) => {
      f.set(pixel, i32.add(i32.add(column, i32.shl(j, 2)), lane));
      return f.local("i32", offsetOf(pixel));
    });
    f.set(j, i32.shl(j, 4));
    forRows((from, to) => {
      const vector = [1, 2, 3].reduce(
        (v, lane) => v128.load32_lane(i32.add(from, lanes[lane]!), v, lane),
        v128.load32_zero(i32.add(from, lanes[0]!)),
      );
      f.storeV128(i32.add(to, j), vector);
    });
    f.free(j, pixel, ...lanes);
  });
}
