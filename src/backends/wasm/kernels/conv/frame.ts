import type { WindowsSpec } from "../../../specs/conv/conv.js";
import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";

/**
 * An image [channels, height, width] as the taps of a window want it: padded, and with columns s, s + stride, … of each row next to
 * each other, so that a tap's inputs of neighbouring outputs are neighbours whatever the stride. Element (c, phase, r, q) is padded
 * pixel (r, q · stride + phase); strides in bytes.
 */
export interface Frame {
  readonly image: Argument;
  readonly plane: number;
  readonly phase: number;
  readonly row: number;
  /** False when it is the image as it was. */
  readonly copied: boolean;
}

interface Geometry {
  readonly rows: number;
  /** Columns of a phase. */
  readonly columns: number;
  readonly phases: number;
}

/** Reads of a whole vector of outputs stay inside, also where a row has fewer. */
function geometryOf({ output, strides, kernel, dilations }: WindowsSpec): Geometry {
  const span = (axis: 0 | 1): number => (kernel[axis] - 1) * dilations[axis] + 1;
  const wide = (Math.max(output[1], 4) - 1) * strides[1] + span(1);
  return {
    rows: (output[0] - 1) * strides[0] + span(0),
    columns: Math.ceil(wide / strides[1]),
    phases: Math.min(strides[1], span(1)),
  };
}

/**
 * The frame of image number `index` of x: x itself where it is one already, else scratch memory that the launch added here fills;
 * `padding` is the bits of the number outside the image.
 */
export function frameOf(spec: WindowsSpec, x: Buffer, index: number, to: Lowering, padding = 0): Frame {
  const { channels, input, strides, pads } = spec;
  const [height, width] = input;
  const { rows, columns, phases } = geometryOf(spec);
  const from = { buffer: x, offset: 4 * index * channels * height * width };
  const fits = rows <= height && columns <= width;
  if (strides[1] === 1 && pads[0] === 0 && pads[1] === 0 && fits) {
    return { image: from, plane: 4 * height * width, phase: 0, row: 4 * width, copied: false };
  }
  const phase = 4 * rows * columns;
  const plane = phases * phase;
  const image = to.scratch(channels * plane);
  to.launch(
    framer(strides[1]),
    [from, image, 4 * height * width, height, width, rows, columns, phases, pads[0], pads[1], padding],
    channels,
  );
  return { image, plane, phase, row: 4 * columns, copied: true };
}

type I = Local<"i32">;

/** Arguments: x, frame, bytes of a plane of x, height, width, frame rows, columns, phases, padding above and left, bits of the padding. Chunk: a channel. */
const framer = (stride: number): KernelCode => ({
  key: `conv/frame/${stride}`,
  build: () =>
    kernelFunction(11, (f, { chunk }, args) => {
      const [x, frame, plane, height, width, rows, columns, phases, top, left, padding] = args as [
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
      ];
      f.increment(x, i32.mul(chunk, plane));
      const rowBytes = f.local("i32", i32.shl(columns, 2));
      const to = f.local("i32", i32.add(frame, i32.mul(chunk, i32.mul(phases, i32.mul(rows, rowBytes)))));
      f.for(0, phases, 1, (phase) => {
        // Columns [begin, end) of the phase are inside the image.
        const shift = f.local("i32", i32.sub(left, phase));
        const begin = f.local("i32", i32.div_s(i32.add(shift, stride - 1), stride));
        f.if(i32.le_s(shift, 0), () => f.set(begin, 0));
        const end = f.local("i32", i32.add(i32.sub(width, 1), shift));
        f.if(
          i32.lt_s(end, 0),
          () => f.set(end, 0),
          () => f.set(end, i32.add(i32.div_s(end, stride), 1)),
        );
        f.set(end, i32.min_s(end, columns));
        f.set(begin, i32.min_s(begin, end));
        const first = f.local("i32", i32.shl(i32.sub(i32.mul(begin, stride), shift), 2));
        f.for(0, rows, 1, (r) => {
          const source = f.local("i32", i32.sub(r, top));
          f.if(
            i32.lt_u(source, height),
            () => {
              f.set(source, i32.add(i32.add(x, first), i32.shl(i32.mul(source, width), 2)));
              fill(f, to, padding, begin);
              copyEvery(f, stride, to, source, i32.sub(end, begin));
              fill(f, to, padding, i32.sub(columns, end));
            },
            () => fill(f, to, padding, columns),
          );
          f.free(source);
        });
        f.free(shift, begin, end, first);
      });
    }),
});

/** Writes `value` `count` times at `to` and moves it on. */
function fill(f: Func, to: I, value: I, count: I | ReturnType<typeof i32.sub>): void {
  const end = f.local("i32", i32.add(to, i32.shl(count, 2)));
  f.while(i32.lt_u(to, end), () => {
    f.storeI32(to, value);
    f.increment(to, 4);
  });
  f.free(end);
}

/** Copies `count` floats, every `stride`-th of those at `from`, to `to` and moves both on. */
function copyEvery(f: Func, stride: number, to: I, from: I, count: ReturnType<typeof i32.sub>): void {
  const rest = f.local("i32", count);
  f.while(i32.ge_s(rest, 4), () => {
    f.storeV128(to, fourApart(stride, from));
    f.increment(to, 16);
    f.increment(from, 16 * stride);
    f.increment(rest, -4);
  });
  f.while(rest, () => {
    f.storeI32(to, i32.load(from));
    f.increment(to, 4);
    f.increment(from, 4 * stride);
    f.increment(rest, -1);
  });
  f.free(rest);
}

/** Four floats `stride` apart; nothing beyond the last is read. */
export function fourApart(stride: number, from: I): ReturnType<typeof v128.load> {
  if (stride === 1) return v128.load(from);
  if (stride === 2) return v128.shuffle32(v128.load(from), v128.load(from, 12), [0, 2, 5, 7]);
  return [1, 2, 3].reduce((v, lane) => v128.load32_lane(from, v, lane, 4 * lane * stride), v128.load32_zero(from));
}
