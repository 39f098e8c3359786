import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelOf, noise } from "../../test/support/small-models.js";
import { GraphBuilder, type Model } from "../graph/index.js";
import { Runner } from "../runtime/index.js";
import { Tensor } from "../tensor/index.js";
import type { LayerPruner } from "./layer-pruner.js";
import { sparseGpt } from "./methods/index.js";
import { retargeted } from "./retarget.js";
import { applyFakeSparsity } from "./sparsify.js";
import { CrossAccumulator, InputAccumulator } from "./statistics/index.js";

/** ‖A·Vᵀ − B·Wᵀ‖² over rows. */
function distance(a: Tensor, v: Float32Array, b: Tensor, w: Float32Array, rows: number): number {
  const cols = a.shape[1]!;
  let sum = 0;
  for (let t = 0; t < a.shape[0]!; t++)
    for (let r = 0; r < rows; r++) {
      let difference = 0;
      for (let c = 0; c < cols; c++)
        difference +=
          Number(a.numbers()[t * cols + c]) * v[r * cols + c]! - Number(b.numbers()[t * cols + c]) * w[r * cols + c]!;
      sum += difference ** 2;
    }
  return sum;
}

describe("a retargeted weight", () => {
  test("gives from changed inputs more nearly what the weight gave, and is the weight itself where nothing changed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 6 }), fc.integer(), (cols, rows, seed) => {
        const x = noise([40, cols], seed);
        const blurred = Float32Array.from(x.numbers() as Float32Array, (value, i) =>
          Math.fround(0.8 * value + 0.1 * Math.sin(seed + i)),
        );
        const seen = new Tensor("float32", [40, cols], blurred);
        const data = noise([rows, cols], seed + 1).data as Float32Array;
        const weight = { rows, cols, data };
        const statistics = (inputs: Tensor) => {
          const [own, cross] = [new InputAccumulator(cols, { gram: true }), new CrossAccumulator(cols)];
          own.accumulate(inputs);
          cross.accumulate(inputs, x);
          return { ...own.statistics(), cross: cross.sums() };
        };
        const moved = retargeted(weight, statistics(seen)).data;
        const before = distance(seen, data, x, data, rows);
        expect(distance(seen, moved, x, data, rows)).toBeLessThanOrEqual(before * (1 + 1e-5) + 1e-9);
        retargeted(weight, statistics(x)).data.forEach((value, i) => expect(value).toBeCloseTo(data[i]!, 6));
      }),
      { numRuns: 50 },
    );
  });
});

/** x → three linear layers with tanh between them → y: what the first ones lose, the last can make up for. */
function deep(): Model {
  const b = new GraphBuilder("deep");
  let x = b.input("x", "float32", ["n", 24]);
  for (let i = 0; i < 4; i++) {
    if (i > 0) x = b.add("Tanh", [x]);
    x = b.add("MatMul", [x, b.constant(noise([24, 24], 7 + i), `w${i}`)], {}, { name: `layer${i}` });
  }
  x.type = { dtype: "float32", shape: ["n", 24] };
  b.output(x, "y");
  return modelOf(b.build());
}

test("a model whose layers are mended to give what they gave is nearer to the dense one", async () => {
  const model = deep();
  const feeds = { x: noise([400, 24], 3) };
  const test = { x: noise([200, 24], 4) };
  const run = (m: Model): Float32Array => {
    const runner = new Runner(m, { threads: 1 });
    const { y } = runner.run(test);
    runner.release();
    return y!.numbers() as Float32Array;
  };
  const dense = run(model);
  const lost = async (target: "dense" | "own"): Promise<number> => {
    const calibration = { samples: [feeds], threads: 1, target };
    const { model: pruned } = await applyFakeSparsity(model, {
      pattern: "2:4",
      method: sparseGpt as LayerPruner,
      calibration,
    });
    return run(pruned).reduce((sum, value, i) => sum + (value - dense[i]!) ** 2, 0);
  };
  expect(await lost("dense")).toBeLessThan(0.97 * (await lost("own")));
});
