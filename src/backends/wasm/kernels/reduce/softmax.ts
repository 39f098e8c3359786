import { type SoftmaxSpec, softmaxCost, softmaxSpec } from "../../../specs/reduce/softmax.js";
import { f32x4, i32, type V128, v128 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { exp, log } from "../../math.js";
import { acrossLanes, BLOCK, eachBlock, eachRow, type Fold, foldLine, mapLine, storeBlock, sumOf } from "../lines.js";
import { perChunk } from "../rows.js";

/** ONNX Softmax and LogSoftmax: along lines, or across them where the axis is not the last. */
const softmax: Kernel<SoftmaxSpec, null> = {
  name: "softmax",
  match: softmaxSpec,
  schedules: () => [null],
  lower({ outer, dim, inner, log }, _, node, to) {
    const buffers = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[0]!)];
    if (outer * dim * inner === 0) return;
    if (inner === 1) {
      const each = perChunk(dim * 16);
      to.launch(alongCode(log), [...buffers, outer, each, dim], Math.ceil(outer / each));
    } else {
      const blocks = outer * Math.ceil(inner / BLOCK);
      const each = perChunk(dim * BLOCK * 16);
      to.launch(acrossCode(log), [...buffers, outer, each, dim, inner], Math.ceil(blocks / each));
    }
  },
  cost: softmaxCost,
};

/** The largest element that is not NaN, which takes one instruction: a NaN shows in the sum soon enough. */
const LARGEST: Fold = {
  initial: f32x4.const(Number.NEGATIVE_INFINITY),
  next: (max, x) => f32x4.pmax(max, x!),
  join: f32x4.pmax,
};

/** Arguments: y, x, rows, rows per chunk, length of a row. */
const alongCode = (isLog: boolean): KernelCode => ({
  key: `softmax/along/${isLog}`,
  build: (device) =>
    kernelFunction(5, (f, { chunk }, [y, x, rows, each, dim]) => {
      const from = f.local("i32");
      const to = f.local("i32");
      eachRow(f, chunk, rows!, each!, (row) => {
        const start = i32.shl(i32.mul(row, dim!), 2);
        f.set(from, i32.add(x!, start));
        f.set(to, i32.add(y!, start));
        const lowest = f32x4.const(Number.NEGATIVE_INFINITY);
        const max = foldLine(f, [from], dim!, LARGEST, [lowest]);
        if (isLog) {
          const sum = foldLine(
            f,
            [from],
            dim!,
            sumOf((v) => exp(f, f32x4.sub(v!, max), device)),
            [lowest],
          );
          f.set(sum, log(f, sum, device));
          mapLine(f, [from], to, dim!, (v) => f32x4.sub(f32x4.sub(v!, max), sum));
          f.free(sum);
        } else {
          const partial = f.local("v128", f32x4.const(0));
          mapLine(
            f,
            [from],
            to,
            dim!,
            (v) => exp(f, f32x4.sub(v!, max), device),
            (e) => f.set(partial, f32x4.add(partial, e)),
          );
          const sum = acrossLanes(f, partial, f32x4.add);
          f.free(partial);
          f.set(sum, f32x4.div(f32x4.const(1), sum));
          mapLine(f, [to], to, dim!, (v) => f32x4.mul(v!, sum));
          f.free(sum);
        }
        f.free(max);
      });
    }),
});

/** Arguments: y, x, outer, blocks per chunk, dim, inner. */
const acrossCode = (isLog: boolean): KernelCode => ({
  key: `softmax/across/${isLog}`,
  build: (device) =>
    kernelFunction(6, (f, { chunk }, [y, x, outer, each, dim, inner]) => {
      const stride = f.local("i32", i32.shl(inner!, 2));
      const from = f.local("i32");
      const to = f.local("i32");
      eachBlock(f, chunk, { outer: outer!, inner: inner!, each: each! }, (vectors, o, column, some) => {
        const start = f.local("i32", i32.add(i32.mul(i32.mul(o, dim!), inner!), column));
        f.set(start, i32.shl(start, 2));
        const max = Array.from({ length: vectors }, () => f.local("v128", LARGEST.initial));
        const sum = Array.from({ length: vectors }, () => f.local("v128", f32x4.const(0)));
        const lanes = f.local("v128");
        const results = f.localArray("v128", vectors);
        /** Goes down the block's columns; `body` has a vector's `lanes`, and its result is stored. */
        const pass = (body: (k: number) => V128 | null, store: boolean): void => {
          f.set(from, i32.add(x!, start));
          f.set(to, i32.add(y!, start));
          f.for(0, dim!, 1, () => {
            for (let k = 0; k < vectors; k++) {
              f.set(lanes, v128.load(from, 16 * k));
              const result = body(k);
              if (result !== null) f.set(results[k]!, result);
            }
            if (store) storeBlock(f, to, results, some);
            f.increment(from, stride);
            f.increment(to, stride);
          });
        };
        pass((k) => {
          f.set(max[k]!, LARGEST.next(max[k]!, lanes));
          return null;
        }, false);
        pass((k) => {
          f.set(sum[k]!, f32x4.add(sum[k]!, exp(f, f32x4.sub(lanes, max[k]!), device)));
          return null;
        }, false);
        sum.forEach((s) => {
          f.set(s, isLog ? log(f, s, device) : f32x4.div(f32x4.const(1), s));
        });
        pass((k) => {
          const shifted = f32x4.sub(lanes, max[k]!);
          return isLog ? f32x4.sub(shifted, sum[k]!) : f32x4.mul(exp(f, shifted, device), sum[k]!);
        }, true);
        f.free(start, lanes, ...max, ...sum, ...results);
      });
    }),
});

export const softmaxKernel: Kernel = anyKernel(softmax);
