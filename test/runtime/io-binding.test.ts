import { expect, test } from "vitest";
import { GraphBuilder } from "../../src/graph/index.js";
import { Runner } from "../../src/runtime/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { modelOf, noise, perceptron } from "../support/small-models.js";

const x = { dtype: "float32", shape: [3, 16] } as const;

test.each([1, 2])("a bound run gives what a run gives, as often as one likes (%i threads)", (threads) => {
  const runner = new Runner(perceptron(), { threads });
  const binding = runner.ioBinding({ x });
  for (let seed = 1; seed < 4; seed++) {
    const feed = noise([3, 16], seed);
    const { y } = runner.run({ x: feed }) as { y: Tensor };
    (binding.inputs.x!.data as Float32Array).set(feed.numbers());
    for (let again = 0; again < 2; again++) {
      runner.run({ x: noise([5, 16], seed + again) }); // another plan, in the arena that plans share
      binding.run();
      expect(binding.outputs.y!.shape).toEqual(y.shape);
      expect([...binding.outputs.y!.numbers()]).toEqual([...y.numbers()]);
    }
  }
  runner.release();
});

test("an input that nothing reads, and one that is an output, have their places", () => {
  const b = new GraphBuilder();
  b.input("idle", "float32", [2]);
  const through = b.input("through", "float32", [2]);
  b.output(through, "through");
  b.output(b.add("Neg", [through]), "negative");
  const runner = new Runner(modelOf(b.build()), { threads: 1 });
  const two = { dtype: "float32", shape: [2] } as const;
  const binding = runner.ioBinding({ idle: two, through: two });
  (binding.inputs.through!.data as Float32Array).set([1, 2]);
  (binding.inputs.idle!.data as Float32Array).set([8, 9]);
  binding.run();
  expect([...binding.inputs.idle!.numbers()]).toEqual([8, 9]);
  const [same, negative] = Object.values(binding.outputs);
  expect([[...same!.numbers()], [...negative!.numbers()]]).toEqual([
    [1, 2],
    [-1, -2],
  ]);
  runner.release();
});

test("what cannot be bound is said, and a released binding is no more", () => {
  const runner = new Runner(perceptron(), { threads: 1 });
  expect(() => runner.ioBinding({})).toThrow(expect.objectContaining({ code: "not-found", place: { field: "x" } }));
  expect(() => runner.ioBinding({ x: { dtype: "float32", shape: [3, 17] } })).toThrow(/field 'x'/);
  expect(() => runner.ioBinding({ x: { dtype: "float32", shape: [-1, 16] } })).toThrow(/no input has shape/);
  const [one, other] = [runner.ioBinding({ x }), runner.ioBinding({ x })];
  one.release();
  one.release();
  expect(() => one.run()).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  other.run();
  runner.release();
  expect(() => other.outputs).toThrow(expect.objectContaining({ code: "invalid-argument" }));

  const reference = new Runner(perceptron(), { device: "reference" });
  expect(() => reference.ioBinding({ x })).toThrow(expect.objectContaining({ code: "unsupported" }));

  const b = new GraphBuilder();
  b.output(b.add("NonZero", [b.input("x", "float32", [4])]), "y");
  const dependent = new Runner(modelOf(b.build()), { threads: 1 });
  expect(() => dependent.ioBinding({ x: { dtype: "float32", shape: [4] } })).toThrow(/decides shapes/);
});
