import { MOST_TABLE_WORDS } from "../../../specs/move/take.js";
import { type AxisStep, type ResizeSpec, resizeCost, resizeSpec } from "../../../specs/resize.js";
import { f32, f32x4, i32, type V128, v128 } from "../../asm/index.js";
import { anyKernel, type Buffer, floatArgument, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { madd } from "../../math.js";
import { eachRow, mapLine } from "../lines.js";
import { launchTake } from "../move/take.js";
import { perChunk } from "../rows.js";

/** Inputs that an output blends, at most: cubic interpolation's four. */
const MOST_TAPS = 4;

/** ONNX Resize, axis by axis: any elements by nearest neighbour, float32 by linear and cubic interpolation. */
const resize: Kernel<ResizeSpec, null> = {
  name: "resize",
  match(node, at) {
    const spec = resizeSpec(node, at);
    const fits = ({ weights: { taps }, output }: AxisStep): boolean =>
      taps <= MOST_TAPS && 2 * taps * output <= MOST_TABLE_WORDS;
    return spec?.steps.every(fits) ? spec : null;
  },
  schedules: () => [null],
  lower({ bytes, nearest, steps }, _, node, to) {
    let from: Buffer = to.buffer(node.inputs[0]!);
    steps.forEach(({ outer, input, output, inner, weights }, i) => {
      const last = i === steps.length - 1;
      const target = last ? to.buffer(node.outputs[0]!) : to.scratch(bytes * outer * output * inner);
      const source = from;
      from = target;
      if (nearest) {
        launchTake(to, { bytes, outer, input, inner, indices: weights.indices }, target, source);
        return;
      }
      // Along the last axis a line is a row; along others each output position is one.
      const along = inner === 1;
      const rows = along ? outer : outer * output;
      const each = perChunk((along ? output : inner) * bytes * (1 + weights.taps));
      const tables = [...weights.indices, ...Array.from(weights.weights, floatArgument)];
      const args = [target, source, rows, each, input, output, inner, ...tables];
      to.launch(blendCode(weights.taps, along), args, Math.ceil(rows / each));
    });
  },
  cost: resizeCost,
};

/** Where the tables begin among the arguments y, x, rows, rows per chunk, input, output, inner. */
const TABLE = 4 * 7;

/** After the table's start: `taps` indices for each output, then as many weights. */
const blendCode = (taps: number, along: boolean): KernelCode => ({
  key: `resize/blend/${taps}/${along ? "along" : "across"}`,
  build: (device) =>
    kernelFunction(7, (f, { chunk }, [y, x, rows, each, input, output, inner], args) => {
      const tap = Array.from({ length: taps }, (_, k) => k);
      const weightsAt = f.local("i32", i32.add(args, i32.mul(output!, 4 * taps)));
      const entry = f.local("i32");
      const weightEntry = f.local("i32");
      const seek = (j: Parameters<typeof i32.mul>[0]): void => {
        f.set(entry, i32.mul(j, 4 * taps));
        f.set(weightEntry, i32.add(weightsAt, entry));
        f.set(entry, i32.add(args, entry));
      };
      const index = (k: number) => i32.load(entry, TABLE + 4 * k);
      const to = f.local("i32");
      eachRow(f, chunk, rows!, each!, (row) => {
        if (along) {
          f.set(to, i32.add(y!, i32.shl(i32.mul(row, output!), 2)));
          const line = f.local("i32", i32.add(x!, i32.shl(i32.mul(row, input!), 2)));
          f.for(0, output!, 1, (j) => {
            seek(j);
            const terms = tap.map((k) =>
              f32.mul(f32.load(weightEntry, TABLE + 4 * k), f32.load(i32.add(line, i32.shl(index(k), 2)))),
            );
            f.storeF32(to, terms.reduce(f32.add));
            f.increment(to, 4);
          });
          f.free(line);
        } else {
          const run = f.local("i32", i32.shl(inner!, 2));
          f.set(to, i32.add(y!, i32.mul(row, run)));
          const first = f.local("i32", i32.mul(i32.div_u(row, output!), input!));
          seek(i32.rem_u(row, output!));
          const sources = tap.map((k) => f.local("i32", i32.add(x!, i32.mul(i32.add(first, index(k)), run))));
          const weights = tap.map((k) => f.local("v128", v128.load32_splat(weightEntry, TABLE + 4 * k)));
          mapLine(f, sources, to, inner!, (...lanes) =>
            lanes
              .slice(1)
              .reduce<V128>(
                (sum, lane, k) => madd(lane, weights[k + 1]!, sum, device),
                f32x4.mul(lanes[0]!, weights[0]!),
              ),
          );
          f.free(run, first, ...sources, ...weights);
        }
      });
    }),
});

export const resizeKernel: Kernel = anyKernel(resize);
