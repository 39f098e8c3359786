import {
  type Finish,
  type FoldName,
  REDUCERS,
  type ReduceSpec,
  reduceCost,
  reduceSpec,
} from "../../../specs/reduce/reduce.js";
import { type Func, f32x4, i32, type Local, type V128, v128 } from "../../asm/index.js";
import {
  anyKernel,
  type Buffer,
  type DeviceInfo,
  floatArgument,
  type Kernel,
  type KernelCode,
  kernelFunction,
} from "../../kernel.js";
import { log } from "../../math.js";
import { BLOCK, eachBlock, eachRow, type Fold, foldLine, MAX, storeBlock, sumOf } from "../lines.js";
import { perChunk } from "../rows.js";

const FOLDS = {
  sum: sumOf((x) => x!),
  abs: sumOf((x) => f32x4.abs(x!)),
  square: sumOf((x) => f32x4.mul(x!, x!)),
  max: MAX,
  min: {
    initial: f32x4.const(Number.POSITIVE_INFINITY),
    next: (min, x) => f32x4.min(min, x!),
    join: f32x4.min,
  },
  product: {
    initial: f32x4.const(1),
    next: (product, x) => f32x4.mul(product, x!),
    join: f32x4.mul,
  },
} as const satisfies Record<FoldName, Fold>;

/** What stands beyond the end of a line: nothing changes by it. */
const NEUTRAL: Readonly<Record<FoldName, number>> = {
  sum: 0,
  abs: 0,
  square: 0,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
  product: 1,
};

/** ONNX's reductions of float32 over any axes, but ReduceLogSumExp. */
const reduce: Kernel<ReduceSpec, null> = {
  name: "reduce",
  match: reduceSpec,
  schedules: () => [null],
  lower({ op, stages, count }, _, node, to) {
    const { fold, again, finish } = REDUCERS[op]!;
    let from: Buffer = to.buffer(node.inputs[0]!);
    stages.forEach(({ outer, dim, inner }, i) => {
      const last = i === stages.length - 1;
      const target = last ? to.buffer(node.outputs[0]!) : to.scratch(4 * outer * inner);
      const how = { fold: i === 0 ? fold : again, finish: last ? finish : ("none" as const) };
      const scale = floatArgument(1 / count);
      if (inner === 1) {
        const each = perChunk(dim * 4);
        to.launch(alongCode(how), [target, from, outer, each, dim, scale], Math.ceil(outer / each));
      } else {
        const each = perChunk(dim * BLOCK * 4);
        const blocks = outer * Math.ceil(inner / BLOCK);
        to.launch(acrossCode(how), [target, from, outer, each, dim, scale, inner], Math.ceil(blocks / each));
      }
      from = target;
    });
  },
  cost: reduceCost,
};

interface How {
  readonly fold: FoldName;
  readonly finish: Finish;
}

const SCALE_ARGUMENT = 5;

function finished(f: Func, how: How, x: V128, args: Local<"i32">, device: DeviceInfo): V128 {
  if (how.finish === "scale") return f32x4.mul(x, v128.load32_splat(args, 4 * SCALE_ARGUMENT));
  if (how.finish === "sqrt") return f32x4.sqrt(x);
  return how.finish === "log" ? log(f, x, device) : x;
}

/** Lines one by one. Arguments: y, x, lines, lines per chunk, dim, scale. */
const alongCode = (how: How): KernelCode => ({
  key: `reduce/along/${how.fold}/${how.finish}`,
  build: (device) =>
    kernelFunction(5, (f, { chunk }, [y, x, rows, each, dim], args) => {
      const from = f.local("i32");
      eachRow(f, chunk, rows!, each!, (row) => {
        f.set(from, i32.add(x!, i32.shl(i32.mul(row, dim!), 2)));
        const value = foldLine(f, [from], dim!, FOLDS[how.fold], [f32x4.const(NEUTRAL[how.fold])]);
        f.set(value, finished(f, how, value, args, device));
        f.store32Lane(i32.add(y!, i32.shl(row, 2)), value, 0);
        f.free(value);
      });
    }),
});

/** Columns side by side. Arguments: y, x, outer, blocks per chunk, dim, scale, inner. */
const acrossCode = (how: How): KernelCode => ({
  key: `reduce/across/${how.fold}/${how.finish}`,
  build: (device) =>
    kernelFunction(7, (f, { chunk }, [y, x, outer, each, dim, , inner], args) => {
      const fold: Fold = FOLDS[how.fold];
      const stride = f.local("i32", i32.shl(inner!, 2));
      const from = f.local("i32");
      const to = f.local("i32");
      eachBlock(f, chunk, { outer: outer!, inner: inner!, each: each! }, (vectors, o, column, some) => {
        f.set(from, i32.add(x!, i32.shl(i32.add(i32.mul(i32.mul(o, dim!), inner!), column), 2)));
        f.set(to, i32.add(y!, i32.shl(i32.add(i32.mul(o, inner!), column), 2)));
        const values = Array.from({ length: vectors }, () => f.local("v128", fold.initial));
        const lanes = f.local("v128");
        f.for(0, dim!, 1, () => {
          values.forEach((value, k) => {
            f.set(lanes, v128.load(from, 16 * k));
            f.set(value, fold.next(value, lanes));
          });
          f.increment(from, stride);
        });
        for (const value of values) f.set(value, finished(f, how, value, args, device));
        storeBlock(f, to, values, some);
        f.free(lanes, ...values);
      });
    }),
});

export const reduceKernel: Kernel = anyKernel(reduce);
