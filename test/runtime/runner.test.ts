import { expect, test } from "vitest";
import { readModel, writeModel } from "../../src/formats/onnx/index.js";
import { GraphBuilder, type Model } from "../../src/graph/index.js";
import { applyFakeSparsity, applySparse } from "../../src/prune/index.js";
import { Runner } from "../../src/runtime/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { modelOf, noise, perceptron } from "../support/small-models.js";

const DEVICES = ["wasm", "reference"] as const;
const row = (...values: number[]): Tensor => Tensor.from("float32", [values.length], values);

/** y = x · scale + shift, where scale and shift are inputs that have initializers. */
function withDefaults(): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [2]);
  const scale = b.constant(row(2, 3), "scale");
  const shift = b.constant(row(10, 20), "shift");
  b.output(b.add("Add", [b.add("Mul", [x, scale]), shift]), "y");
  const graph = b.build();
  return modelOf({ ...graph, inputs: [x, scale, shift] });
}

test.each(DEVICES)("inputs with an initializer may be fed or left out (%s)", (device) => {
  const runner = new Runner(readModel(writeModel(withDefaults())), { device, threads: 1 });
  expect(runner.inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(runner.defaults.map(({ name }) => name)).toEqual(["scale", "shift"]);
  const y = (feeds: Record<string, Tensor>): number[] => [...runner.run({ x: row(1, 1), ...feeds }).y!.numbers()];
  for (let again = 0; again < 2; again++) {
    expect(y({})).toEqual([12, 23]);
    expect(y({ shift: row(0, 0) })).toEqual([2, 3]);
    expect(y({ scale: row(5, 6) })).toEqual([15, 26]);
    expect(y({ shift: row(1, 2), scale: row(0, 1) })).toEqual([1, 3]);
  }
  expect(() => y({ scale: row(1, 2, 3) })).toThrow(/field 'scale'.*\[3\]/);
  runner.release();
});

test("a missing input, and one that there is not, are named", () => {
  const runner = new Runner(perceptron(), { threads: 1 });
  expect(() => runner.run({})).toThrow(expect.objectContaining({ code: "not-found", place: { field: "x" } }));
  expect(() => runner.run({ x: noise([1, 16], 1), X: noise([1], 1) })).toThrow(/field 'X'.*it has 'x'/);
});

test("an operator that there is not is an error when the model is opened", () => {
  const b = new GraphBuilder();
  b.output(b.add("Frobnicate", [b.input("x", "float32", [1])]), "y");
  expect(() => new Runner(modelOf(b.build()))).toThrow(
    expect.objectContaining({ code: "unsupported", message: expect.stringContaining("Frobnicate") }),
  );
});

/** The lengths of the sums times the rounding of one step; |x| and |w| are below 1. */
const TOLERANCE = 48 * 2 ** -24 * 48;

test.each(
  DEVICES.flatMap((device) =>
    ["2:4", "50%", "90%", "block:4x4@50%", "rows@25%", "cols@50%", "4:2:4"].map((p) => [device, p] as const),
  ),
)("sparse models run as those with explicit zeros (%s, %s)", async (device, pattern) => {
  const feeds = { x: noise([5, 16], 9) };
  const packed = await applySparse(perceptron(), { pattern });
  expect(packed.weights.map(({ layout }) => layout)).not.toContain("dense");
  const zeroed = await applyFakeSparsity(perceptron(), { pattern });
  const file = readModel(writeModel(packed.model));
  const [y, again, expected] = [packed.model, file, zeroed.model].map((model, i) => {
    const runner = new Runner(model, i === 2 ? { device: "reference" } : { device, threads: 1 });
    const out = runner.run(feeds).y!;
    runner.release();
    return [...out.numbers()];
  });
  expect(again).toEqual(y);
  expected!.forEach((value, i) => {
    expect(Math.abs(value - y![i]!)).toBeLessThanOrEqual(TOLERANCE);
  });
});
