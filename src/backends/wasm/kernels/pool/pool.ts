import { type PoolSpec, poolCost, poolSpec, type Reduction } from "../../../specs/pool/windows.js";
import { type Func, f32, f32x4, i32, i32x4, type Local, v128 } from "../../asm/index.js";
import { type Argument, floatArgument, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { frameOf } from "../conv/frame.js";
import { storeSome } from "../conv/store-some.js";

/** Wider windows are left to evaluation. */
const MOST_COLUMNS = 32;

/** MaxPool and AveragePool over one or two spatial axes: 16, then 4 output columns at a time, the taps of a window's row unrolled. */
export const pool: Kernel<PoolSpec, null> = {
  name: "pool",
  match(node, at) {
    const spec = poolSpec(node, at);
    return spec !== null && spec.kernel[1] <= MOST_COLUMNS ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { channels, input, output, kernel, strides, dilations, pads, counted, reduction } = spec;
    const padding = floatArgument(reduction === "max" ? Number.NEGATIVE_INFINITY : 0);
    const frame = frameOf(spec, to.buffer(node.inputs[0]!), 0, to, padding);
    const args: Argument[] = [
      frame.image,
      to.buffer(node.outputs[0]!),
      kernel[0],
      frame.plane,
      frame.phase,
      dilations[0] * frame.row,
      strides[0] * frame.row,
      output[0],
      output[1],
    ];
    // Taps at [low, high) of the padded plane count, rows then columns.
    const bounds = ([0, 1] as const).flatMap((axis) => [
      pads[axis] - counted.before[axis],
      pads[axis] + input[axis] + counted.after[axis],
    ]);
    to.launch(poolCode(reduction, kernel[1], strides, dilations), [...args, ...bounds], channels);
  },
  cost: poolCost,
};

type I = Local<"i32">;
type Pair = readonly [number, number];

/** Arguments as above. Chunk: a plane. */
const poolCode = (reduction: Reduction, kw: number, strides: Pair, dilations: Pair): KernelCode => ({
  key: `pool/${reduction}/${kw}/${strides}/${dilations}`,
  build: () =>
    kernelFunction(13, (f, { chunk }, args) => {
      const [image, y, kh, plane, phase, tapRow, pixelRow, oh, ow, ...bounds] = args as [
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        I,
        ...I[],
      ];
      const [top, bottom, left, right] = bounds as [I, I, I, I];
      const max = reduction === "max";
      f.increment(image, i32.mul(chunk, plane));
      f.increment(y, i32.shl(i32.mul(chunk, i32.mul(oh, ow)), 2));
      const rowBytes = f.local("i32", i32.shl(ow, 2));
      const [stride, dilation] = [strides[1], dilations[1]];

      /** `numberless`: ones where a tap was not a number. f32x4.max would see to that, at twice the price. */
      const tapsOfRow = (results: Local<"v128">[], numberless: Local<"v128">[], from: I): void => {
        const pointers = Array.from({ length: Math.min(stride, (kw - 1) * dilation + 1) }, (_, i) =>
          i === 0 ? from : f.local("i32", i32.add(from, i32.mul(phase, i))),
        );
        const input = f.local("v128");
        for (let kx = 0; kx < kw; kx++) {
          const shift = kx * dilation;
          results.forEach((result, v) => {
            f.set(input, v128.load(pointers[shift % stride]!, 4 * Math.floor(shift / stride) + 16 * v));
            f.set(result, max ? f32x4.pmax(result, input) : f32x4.add(result, input));
            if (max) f.set(numberless[v]!, v128.or(numberless[v]!, f32x4.ne(input, input)));
          });
        }
        f.free(input, ...pointers.slice(1));
      };

      /** All rows of columns column … column + 4 · vectors - 1. */
      const columns = (column: I, vectors: number, some?: I): void => {
        const counts = max ? [] : f.localArray("v128", vectors);
        counts.forEach((count, v) => {
          countColumns(f, count, i32.add(column, 4 * v), { kw, stride, dilation, left, right });
        });
        const corner = f.local("i32", i32.add(image, i32.shl(column, 2)));
        const to = f.local("i32", i32.add(y, i32.shl(column, 2)));
        f.for(0, oh, 1, (oy) => {
          const from = f.local("i32", corner);
          const results = Array.from({ length: vectors }, () =>
            f.local("v128", f32x4.const(max ? Number.NEGATIVE_INFINITY : 0)),
          );
          const numberless = max ? results.map(() => f.local("v128", f32x4.const(0))) : [];
          const row = f.local("i32", i32.mul(oy, strides[0]));
          const count = f.local("i32", 0);
          f.for(0, kh, 1, () => {
            tapsOfRow(results, numberless, from);
            f.increment(from, tapRow);
            if (max) return;
            f.increment(count, i32.and(i32.ge_s(row, top), i32.lt_s(row, bottom)));
            f.increment(row, dilations[0]);
          });
          results.forEach((result, v) => {
            if (max) f.set(result, v128.or(result, numberless[v]!));
            else {
              f.set(result, f32x4.div(result, f32x4.mul(counts[v]!, f32x4.splat(f32.convert_i32_s(count)))));
            }
            if (some) storeSome(f, to, result, some);
            else f.storeV128(to, result, 16 * v);
          });
          f.increment(corner, pixelRow);
          f.increment(to, rowBytes);
          f.free(from, row, count, ...results, ...numberless);
        });
        f.free(corner, to, ...counts);
      };

      const column = f.local("i32", 0);
      f.if(i32.lt_s(ow, 4), () => columns(column, 1, ow));
      for (const vectors of [4, 1]) {
        f.while(i32.le_s(i32.add(column, 4 * vectors), ow), () => {
          columns(column, vectors);
          f.increment(column, 4 * vectors);
        });
      }
      f.if(i32.and(i32.lt_s(column, ow), i32.ge_s(ow, 4)), () => {
        // The last columns are computed with some before them again.
        f.set(column, i32.sub(ow, 4));
        columns(column, 1);
      });
    }),
});

interface ColumnTaps {
  readonly kw: number;
  readonly stride: number;
  readonly dilation: number;
  readonly left: I;
  readonly right: I;
}

/** How many taps of a row count for each of four output columns, as floats. */
function countColumns(f: Func, count: Local<"v128">, column: ReturnType<typeof i32.add>, taps: ColumnTaps): void {
  const at = f.local("v128", i32x4.splat(i32.mul(column, taps.stride)));
  f.set(
    at,
    i32x4.add(
      at,
      v128.const([0, 1, 2, 3].flatMap((lane) => [...new Uint8Array(Int32Array.of(lane * taps.stride).buffer)])),
    ),
  );
  f.set(count, f32x4.const(0));
  for (let kx = 0; kx < taps.kw; kx++) {
    const inside = v128.and(i32x4.ge_s(at, i32x4.splat(taps.left)), i32x4.lt_s(at, i32x4.splat(taps.right)));
    f.set(count, i32x4.sub(count, inside));
    f.set(at, i32x4.add(at, i32x4.const(taps.dilation)));
  }
  f.set(count, f32x4.convert_i32x4_s(count));
  f.free(at);
}
