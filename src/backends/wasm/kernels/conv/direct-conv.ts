import { type ConvSpec, convCost, convSpec, pixelsOf } from "../../../specs/conv/conv.js";
import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";
import { type Argument, type DeviceInfo, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { activate, madd } from "../../math.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import { frameOf } from "./frame.js";
import { storeSome } from "./store-some.js";

/** With more outputs in a group than this, a product of matrices is faster. */
const MOST_OUTPUTS = 4;
/** Kernels of more taps loop over their rows. */
const MOST_UNROLLED = 25;
const MOST_COLUMNS = 32;

/**
 * Conv of few outputs a group, without unfolding: depthwise convolutions first of all. Two output rows are computed at a time, 16 columns wide, all
 * taps unrolled, so that an input vector serves both rows: 4 loads of x and 2 of weights for 8 multiply-adds. The last columns and a last row are
 * computed with some before them again. A sparse weight is read with its zeros: bound by the loads and stores of the image
 * more than by the few taps.
 */
export const directConv: Kernel<ConvSpec, null> = {
  name: "direct-conv",
  match(node, at) {
    const spec = convSpec(node, at);
    if (spec === null || spec.outputs / spec.group > MOST_OUTPUTS) return null;
    // A residual of rows shorter than a vector would be read beyond its end.
    if (spec.output[1] < 4 && spec.epilogue.residual) return null;
    return spec.kernel[1] <= MOST_COLUMNS ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { batch, channels, outputs, group, kernel, strides, dilations, output, epilogue } = spec;
    const x = to.buffer(node.inputs[0]!);
    const bias = epilogue.bias ? to.buffer(node.inputs[2]!) : 0;
    const code = directCode(spec);
    for (let n = 0; n < batch; n++) {
      const frame = frameOf(spec, x, n, to);
      const at = 4 * n * outputs * pixelsOf(spec);
      const args: Argument[] = [
        frame.image,
        to.buffer(node.inputs[1]!),
        bias,
        { buffer: to.buffer(node.outputs[0]!), offset: at },
        epilogue.residual ? { buffer: to.buffer(node.inputs[3]!), offset: at } : 0,
        channels / group,
        outputs / group,
        kernel[0],
        frame.plane,
        frame.phase,
        dilations[0] * frame.row,
        strides[0] * frame.row,
        output[0],
        output[1],
      ];
      to.launch(code, args, outputs);
    }
  },
  cost: convCost,
};

type I = Local<"i32">;

/** Arguments as above. Chunk: an output channel. */
const directCode = ({ kernel: [kh, kw], strides, dilations, epilogue }: ConvSpec): KernelCode => {
  const unrolled = kh * kw <= MOST_UNROLLED;
  const [stride, dilation] = [strides[1], dilations[1]];
  return {
    key: `conv/direct/${unrolled ? `${kh}/${strides[0]}/${dilations[0]}` : "any"}/${kw}/${stride}/${dilation}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(14, (f, { chunk }, args) => {
        const [image, w, bias, y, residual, channels, outputs, rows, plane, phase, tapRow, pixelRow, oh, ow] =
          args as I[] as [I, I, I, I, I, I, I, I, I, I, I, I, I, I];
        f.increment(image, i32.mul(i32.mul(i32.div_u(chunk, outputs), channels), plane));
        f.increment(w, i32.shl(i32.mul(i32.mul(chunk, channels), i32.mul(rows, kw)), 2));
        const planeBytes = f.local("i32", i32.shl(i32.mul(oh, ow), 2));
        f.increment(y, i32.mul(chunk, planeBytes));
        f.set(residual, i32.sub(i32.add(residual, i32.mul(chunk, planeBytes)), y));
        const start = f.local(
          "v128",
          epilogue.bias ? v128.load32_splat(i32.add(bias, i32.shl(chunk, 2))) : f32x4.const(0),
        );
        const column = f.local("i32");
        const rowBytes = f.local("i32", i32.shl(ow, 2));
        const inputRow = f.local("i32", i32.div_u(tapRow, dilations[0]));

        /** The taps of one row of inputs at `from`: `lines` are the output rows that meet it, each with the row of its kernel. */
        const tapsOfRow = (lines: readonly Line[], weights: I, from: I): void => {
          const pointers = Array.from({ length: Math.min(stride, (kw - 1) * dilation + 1) }, (_, i) =>
            i === 0 ? from : f.local("i32", i32.add(from, i32.mul(phase, i))),
          );
          const values = lines.map(() => f.local("v128"));
          const input = f.local("v128");
          const fence = fences(f, from);
          const vectors = lines[0]!.sums[0].length;
          const spacing = loadsPerFence(Math.max(8, 2 * vectors) + lines.length);
          let loads = 0;
          for (let kx = 0; kx < kw; kx++) {
            const shift = kx * dilation;
            lines.forEach(({ ky }, r) => f.set(values[r]!, v128.load32_splat(weights, 4 * (ky * kw + kx))));
            for (let v = 0; v < vectors; v++) {
              f.set(input, v128.load(pointers[shift % stride]!, 4 * Math.floor(shift / stride) + 16 * v));
              lines.forEach(({ sums }, r) => {
                const sum = sums[kx % 2]![v]!;
                f.set(sum, madd(values[r]!, input, sum, device));
              });
              if (++loads % spacing === 0) fence(1);
            }
          }
          f.free(input, ...values, ...pointers.slice(1));
        };

        /** `height` rows of `vectors`. Few sums are summed apart by odd and even taps, for more independent chains. */
        const tile = (height: number, vectors: number): void => {
          const make = (first: V128): Local<"v128">[][] =>
            Array.from({ length: height }, () => Array.from({ length: vectors }, () => f.local("v128", first)));
          const sums = make(start);
          const apart = height * vectors <= 4 ? make(f32x4.const(0)) : sums;
          const corner = f.local("i32", i32.add(image, i32.shl(column, 2)));
          const weights = f.local("i32", w);
          f.for(0, channels, 1, () => {
            const from = f.local("i32", corner);
            if (unrolled) {
              const taps = sums.flatMap((row, r) =>
                Array.from({ length: kh }, (_, ky) => ({
                  sums: [row, apart[r]!] as const,
                  ky,
                  at: r * strides[0] + ky * dilations[0],
                })),
              );
              let reached = 0;
              for (const at of [...new Set(taps.map((tap) => tap.at))].sort((a, b) => a - b)) {
                if (at > reached) f.increment(from, i32.mul(inputRow, at - reached));
                reached = at;
                tapsOfRow(
                  taps.filter((tap) => tap.at === at),
                  weights,
                  from,
                );
              }
              f.increment(weights, 4 * kh * kw);
            } else {
              f.for(0, rows, 1, () => {
                tapsOfRow([{ sums: [sums[0]!, apart[0]!], ky: 0 }], weights, from);
                f.increment(from, tapRow);
                f.increment(weights, 4 * kw);
              });
            }
            f.increment(corner, plane);
            f.free(from);
          });
          const to = f.local("i32", i32.add(y, i32.shl(column, 2)));
          const addend = f.local("i32", i32.add(residual, to));
          sums.forEach((row, r) => {
            if (r > 0) {
              f.increment(to, rowBytes);
              f.increment(addend, rowBytes);
            }
            row.forEach((sum, v) => {
              if (apart !== sums) f.set(sum, f32x4.add(sum, apart[r]![v]!));
              finish(f, epilogue, sum, addend, 16 * v, device);
              const whole = (): void => f.storeV128(to, sum, 16 * v);
              if (vectors > 1) whole();
              else f.if(i32.lt_s(ow, 4), () => storeSome(f, to, sum, ow), whole);
            });
          });
          f.free(corner, weights, to, addend, ...sums.flat(), ...(apart === sums ? [] : apart.flat()));
        };

        /** A tile's columns end with the row where they would reach beyond it. */
        const line = (height: number, widths: readonly number[]): void => {
          const left = f.local("i32", ow);
          const vectors = f.local("i32");
          f.doWhile(
            () => {
              f.set(vectors, i32.shr_s(i32.add(left, 3), 2));
              const [widest, ...narrower] = widths as [number, ...number[]];
              f.set(vectors, i32.min_s(vectors, widest));
              // Tiles of other widths than those there are, or wider than the row.
              for (const width of narrower) {
                const wider = i32.and(i32.gt_s(vectors, width), i32.lt_s(ow, i32.shl(vectors, 2)));
                f.if(wider, () => f.set(vectors, width));
              }
              f.set(column, i32.sub(ow, i32.max_s(left, i32.shl(vectors, 2))));
              f.set(column, i32.max_s(column, 0));
              const choose = ([width, ...rest]: readonly number[]): void => {
                if (rest.length === 0) tile(height, width!);
                else
                  f.if(
                    i32.eq(vectors, width!),
                    () => tile(height, width!),
                    () => choose(rest),
                  );
              };
              choose(widths);
              f.set(left, i32.sub(i32.sub(ow, column), i32.shl(vectors, 2)));
            },
            () => i32.gt_s(left, 0),
          );
          f.free(left, vectors);
        };
        const move = (count: number): void => {
          f.increment(image, i32.mul(pixelRow, count));
          f.increment(y, i32.mul(rowBytes, count));
        };
        const left = f.local("i32", oh);
        const rowsOf = (height: number, widths: readonly number[]): void =>
          f.while(i32.ge_s(left, height), () => {
            line(height, widths);
            move(height);
            f.increment(left, -height);
            // One row that is left is computed with the one before it again.
            if (height === 2) {
              f.if(i32.eq(left, 1), () => {
                f.set(left, 2);
                move(-1);
              });
            }
          });
        const inPairs = unrolled && kh > 1;
        if (inPairs) rowsOf(2, [4, 3, 2, 1]);
        rowsOf(1, inPairs ? [1] : [4, 3, 2, 1]);
      }),
  };
};

interface Line {
  readonly sums: readonly [even: readonly Local<"v128">[], odd: readonly Local<"v128">[]];
  readonly ky: number;
}

function finish(
  f: Func,
  { activation, params, residual }: Epilogue,
  sum: Local<"v128">,
  addend: I,
  offset: number,
  device: DeviceInfo,
): void {
  if (residual === "before") f.set(sum, f32x4.add(sum, v128.load(addend, offset)));
  f.set(sum, activate(f, activation, params, sum, device));
  if (residual === "after") f.set(sum, f32x4.add(sum, v128.load(addend, offset)));
}
