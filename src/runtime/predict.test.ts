import { describe, expect, test } from "vitest";
import { MACHINE } from "../../test/support/machine.js";
import { GraphBuilder, type Model } from "../graph/index.js";
import { applySparse } from "../prune/index.js";
import { Tensor } from "../tensor/index.js";
import { predict } from "./predict.js";

/** y = act(x · W₁) · W₂ with x [tokens, 256], W₁ [256, 512], W₂ [512, 8]. */
function model(): Model {
  const random = (rows: number, cols: number): Tensor => {
    const values = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(7919 * (i + 1)));
    return new Tensor("float32", [rows, cols], values);
  };
  const b = new GraphBuilder("mlp");
  const x = b.input("x", "float32", ["tokens", 256]);
  const hidden = b.add("MatMul", [x, b.constant(random(256, 512), "w1")], {}, { name: "up" });
  b.output(b.add("MatMul", [b.add("Relu", [hidden]), b.constant(random(512, 8), "w2")], {}, { name: "down" }), "y");
  const rest = { irVersion: 10, producer: "test", metadata: new Map() };
  return { graph: b.build(), opsets: new Map([["", 21]]), ...rest };
}
const patterns = ["50%", "2:4", "90%", "block:16x16@90%", "dense", "5%"];
const at = (tokens: number) => predict(model(), { machine: MACHINE, patterns, shapes: { x: [tokens, 256] } });

describe("predict", () => {
  test("lists the layers that could be pruned, and what each pattern would make of them", () => {
    const { layers, seconds, steps } = at(96);
    expect(layers.map(({ product }) => [product.rows, product.depth, product.tokens])).toEqual([
      [512, 256, 96],
      [8, 512, 96],
    ]);
    expect(layers[0]!.patterns.map(({ pattern }) => pattern)).toEqual(patterns);
    expect(seconds).toBeCloseTo(
      steps.reduce((sum, step) => sum + step.seconds, 0),
      12,
    );
    expect(layers.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1 + 1e-12);
    const [half, nm, most, blocks, dense, few] = layers[0]!.patterns;
    expect(most!.speedup).toBeGreaterThan(half!.speedup);
    expect(most!.bytes).toBeLessThan(half!.bytes);
    expect([nm!.layout, blocks!.layout]).toEqual(["semi-structured", "bsr:16x16"]);
    expect(dense).toMatchObject({ layout: "dense", speedup: 1 });
    expect(few!.why).toContain("multiplied dense");
    expect(dense!.why).toContain("fewer bytes");
  });

  test("a whole model takes its layers' times, and no longer where only those that pay are pruned", () => {
    const run = at(96);
    run.patterns.forEach((whole, i) => {
      const saved = run.layers.reduce((sum, layer) => sum + layer.seconds - layer.patterns[i]!.seconds, 0);
      expect(whole.seconds).toBeCloseTo(run.seconds - saved, 12);
      expect(whole.secondsWherePays).toBeLessThanOrEqual(run.seconds);
      expect(whole.layersThatPay).toBe(run.layers.filter((layer) => layer.patterns[i]!.why === null).length);
    });
  });

  test("one token does not pay at 50 %, and it says so", () => {
    const [half] = at(1).layers[0]!.patterns;
    expect(half!.speedup).toBeLessThan(1);
    expect(half!.why).toContain("few tokens");
  });

  test("expects of a pruned weight the bytes and multiply-adds that pruning really leaves", async () => {
    for (const pattern of ["2:4", "50%", "block:16x16@90%"]) {
      const { model: pruned } = await applySparse(model(), { pattern });
      const real = predict(pruned, { machine: MACHINE, patterns: [], shapes: { x: [96, 256] } });
      const foreseen = predict(model(), { machine: MACHINE, patterns: [pattern], shapes: { x: [96, 256] } });
      const products = real.steps.flatMap(({ cost }) => (cost?.product ? [cost.product] : []));
      foreseen.layers.forEach(({ patterns: [one] }, i) => {
        // A band of the matrix stands for all of it, so that blocks are counted in 128 rows.
        expect(Math.abs(one!.bytes / products[i]!.bytes - 1)).toBeLessThan(0.05);
      });
      expect(Math.abs(foreseen.patterns[0]!.seconds / real.seconds - 1)).toBeLessThan(0.05);
    }
  });

  test("a model that is sparse already is predicted as it is", async () => {
    const { model: pruned } = await applySparse(model(), { pattern: "90%" });
    const run = predict(pruned, { machine: MACHINE, patterns: ["2:4"], shapes: { x: [96, 256] } });
    expect(run.layers).toEqual([]);
    expect(run.seconds).toBeLessThan(at(96).seconds);
  });

  test("refuses patterns that are none and inputs without shapes", () => {
    const all = { machine: MACHINE, patterns, shapes: { x: [4, 256] } };
    expect(() => predict(model(), { ...all, patterns: ["3:"] })).toThrow("is not a pattern");
    expect(() => predict(model(), { ...all, shapes: {} })).toThrow(expect.objectContaining({ code: "not-found" }));
  });
});
