import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { readModel, writeModel } from "../../src/formats/onnx/index.js";
import { type ApplySparseOptions, applySparse } from "../../src/prune/index.js";
import { fromOrt, toOrt } from "../../src/runtime/convert.js";
import { Runner, type RunnerOptions } from "../../src/runtime/index.js";
import { installNode } from "../../src/runtime/node.js";
import { isFloat, type Tensor } from "../../src/tensor/index.js";

installNode();
ort.env.logLevel = "error";

export type Feeds = Readonly<Record<string, Tensor>>;

/** One model on both sides. */
export interface Pair {
  readonly ours: Runner<Tensor[] | Promise<Tensor[]>>;
  /** Runs both on the same feeds and gives the results. */
  run(feeds: Feeds): Promise<{ ours: Readonly<Record<string, Tensor>>; theirs: Readonly<Record<string, Tensor>> }>;
  release(): Promise<void>;
}

/**
 * A model file on this library and on onnxruntime-node, both on at most two threads. With `sparsify`, ours runs the pruned weights from
 * their sparse layouts, onnxruntime the same weights with explicit zeros.
 */
export async function openPair(
  file: string,
  { sparsify, ...options }: RunnerOptions & { readonly sparsify?: ApplySparseOptions | undefined } = {},
): Promise<Pair> {
  const original = readFileSync(file);
  const dense = readModel(original, { file });
  const model = sparsify === undefined ? dense : (await applySparse(dense, sparsify)).model;
  const bytes = sparsify === undefined ? original : writeModel(model, { sparse: "dense" });
  const ours = await Runner.create(model, { threads: 2, ...options });
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 2, logSeverityLevel: 3 });
  return {
    ours,
    async run(feeds) {
      const given = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await session.run(given as ort.InferenceSession.FeedsType);
      const theirs = Object.fromEntries(
        Object.entries(results).map(([name, value]) => [
          name,
          fromOrt(name, value as Parameters<typeof fromOrt>[1]) as Tensor,
        ]),
      );
      return { ours: await ours.run(feeds), theirs };
    },
    async release() {
      ours.release();
      await session.release();
    },
  };
}

/** max |actual - expected| / max |expected|; not a number where one of them holds a NaN the other has not. */
export function relativeDifference(actual: Tensor, expected: Tensor): number {
  const [a, b] = [actual.numbers(), expected.numbers()];
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return largest === 0 ? difference : difference / largest;
}

/** How results differ from onnxruntime's, by name: those beyond `tolerance`, or of another dtype or shape. */
export function differences(
  ours: Readonly<Record<string, Tensor>>,
  theirs: Readonly<Record<string, Tensor>>,
  tolerance: number,
): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, expected] of Object.entries(theirs)) {
    const actual = ours[name];
    if (actual === undefined) found[name] = "missing";
    else if (`${actual.dtype}[${actual.shape}]` !== `${expected.dtype}[${expected.shape}]`)
      found[name] = `${actual.dtype}[${actual.shape}] for ${expected.dtype}[${expected.shape}]`;
    else {
      const difference = relativeDifference(actual, expected);
      const allowed = isFloat(expected.dtype) ? tolerance : 0;
      if (!(difference <= allowed)) found[name] = `differs by ${difference}`;
    }
  }
  return found;
}
