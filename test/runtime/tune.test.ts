import { expect, test, vi } from "vitest";
import { writeModel } from "../../src/formats/onnx/index.js";
import { GraphBuilder, type Model } from "../../src/graph/index.js";
import { toSparse } from "../../src/layouts/index.js";
import {
  InferenceSession,
  Tensor as OrtTensor,
  Runner,
  type TuneProgress,
  type TuningCache,
} from "../../src/runtime/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { modelOf, noise } from "../support/small-models.js";

/** y = x · W1ᵀ · W2ᵀ, W1 2:4, W2 dense. */
function model(): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["tokens", 64]);
  const sparse = b.constant(toSparse(noise([64, 64], 1), "semi-structured", { lossy: true }), "sparse");
  const dense = b.constant(noise([8, 64], 3), "dense");
  const y = b.add("Gemm", [b.add("Gemm", [x, sparse], { transB: 1 }), dense], { transB: 1 });
  y.type = { dtype: "float32", shape: ["tokens", 8] };
  b.output(y, "y");
  return modelOf(b.build());
}

/** A cache in memory. */
function memory(texts = new Map<string, string>()): TuningCache & { readonly texts: Map<string, string> } {
  return {
    texts,
    read: async (name) => texts.get(name) ?? null,
    write: async (name, text) => void texts.set(name, text),
  };
}

const feeds = { x: noise([8, 64], 2) };
const close = (a: Tensor, b: Tensor): void => {
  expect(a.shape).toEqual(b.shape);
  a.numbers().forEach((value, i) => expect(value).toBeCloseTo(b.numbers()[i] as number, 3));
};

test("a runner is tuned, and what was measured is remembered by the next", async () => {
  const cache = memory();
  const runner = new Runner(model(), { threads: 1 });
  const { y: before } = runner.run(feeds);
  const seen: TuneProgress[] = [];
  const report = await runner.tune(feeds, { budget: 5, cache, onProgress: (progress) => seen.push(progress) });
  expect(report).toMatchObject({ known: 0, left: [], stopped: false });
  expect(report.results.map(({ subject }) => subject)).toContain("linear");
  for (const { winner, low, candidates, choice, defaultMs } of report.results) {
    expect(choice).toBe(candidates[winner]);
    expect(winner === 0 || low >= 1.02).toBe(true);
    expect(defaultMs).toBeGreaterThan(0);
  }
  expect(seen.at(-1)!.done).toBeLessThan(seen.at(-1)!.total);
  close(runner.run(feeds).y!, before!);
  runner.release();

  const next = await Runner.create(model(), { threads: 1, tune: { budget: 5, cache, dims: { tokens: 8 } } });
  const again = await next.tune(feeds, { cache });
  expect(again).toMatchObject({ known: report.results.length, results: [] });
  close((await next.run(feeds)).y!, before!);
  next.release();
});

test("stopping leaves a cache that can be read, and a runner that runs", async () => {
  const cache = memory();
  const stop = new AbortController();
  const runner = new Runner(model(), { threads: 1 });
  const report = await runner.tune(feeds, {
    ...{ cache, signal: stop.signal },
    onProgress: ({ done }) => {
      if (done === 1) stop.abort();
    },
  });
  expect(report.stopped).toBe(true);
  expect(report.left.length).toBeGreaterThan(0);
  close(runner.run(feeds).y!, new Runner(model(), { device: "reference" }).run(feeds).y!);
  const warn = vi.fn();
  const next = await Runner.create(model(), { threads: 1, tune: { budget: 0, cache, onWarning: warn } });
  expect(warn).not.toHaveBeenCalled();
  expect(await next.tune(feeds, { cache, budget: 5 })).toMatchObject({ known: report.results.length, left: [] });
  runner.release();
  next.release();
});

test("a broken cache is a warning, not an error", async () => {
  const warnings: string[] = [];
  const broken: TuningCache = { read: async () => "half a fi", write: () => Promise.reject(new Error("disk full")) };
  const options = { budget: 5, cache: broken, onWarning: ({ code }: { code: string }) => void warnings.push(code) };
  const runner = await Runner.create(model(), { threads: 1, tune: { ...options, dims: { tokens: 8 } } });
  expect(new Set(warnings)).toEqual(new Set(["io"]));
  runner.release();
});

test("sessions take `tune`, and say what they must know for it", async () => {
  const bytes = await writeModel(model());
  await expect(InferenceSession.create(bytes, { tune: { cache: null } })).rejects.toThrow(/field 'x'.*'tokens'/);
  const session = await InferenceSession.create(bytes, {
    ...{ tune: { budget: 3, cache: null }, freeDimensionOverrides: { tokens: 8 }, intraOpNumThreads: 1 },
  });
  const { y } = await session.run({ x: new OrtTensor("float32", feeds.x.data as Float32Array, [8, 64]) });
  expect(y!.dims).toEqual([8, 8]);
  await session.release();
});

test("options that make no sense are refused", async () => {
  const runner = new Runner(model(), { threads: 1 });
  await expect(runner.tune(feeds, { budget: Number.NaN })).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(runner.tune({ x: Tensor.zeros("float32", [8, 63]) })).rejects.toMatchObject({ code: "shape" });
  runner.release();
  const reference = new Runner(model(), { device: "reference" });
  await expect(reference.tune(feeds)).rejects.toMatchObject({ code: "unsupported" });
});
