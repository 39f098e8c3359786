import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { evaluate, expectClose, fusedOps, fusedSteps, Primitives, runFused, runWasm } from "./support.js";

const random = randomSource(17);

/** The fused operators of a graph of float inputs x0, x1, …; checks first that it computes what it did. */
function fusedOf(
  shapes: readonly (readonly number[])[],
  build: (b: Primitives, ...x: Value[]) => Value | Value[],
): string[] {
  const b = new Primitives();
  const inputs = shapes.map((shape, i) => b.input(`x${i}`, "float32", shape));
  for (const output of [build(b, ...inputs)].flat()) b.output(output);
  const graph = b.build();
  const feeds = shapes.map((shape) => randomTensor(random, shape));
  const expected = evaluate(graph, feeds);
  // No sum here is longer than 64 products of numbers below 1, nor followed by more than a few functions.
  expectClose(runFused(graph, feeds), expected, 64);
  expectClose(runWasm(graph, feeds), expected, 128);
  return fusedOps(graph, feeds);
}

const weight = (b: Primitives, ...shape: number[]): Value => b.constant(randomTensor(random, shape, -0.3, 0.3));

describe("renaming", () => {
  const X = [2, 1, 3, 4];
  it.each([
    [
      "Reshape, Unsqueeze, Squeeze and Flatten",
      (b, x) => b.add("Flatten", [b.add("Squeeze", [b.add("Unsqueeze", [x, b.ints(0)]), b.ints(2)])]),
    ],
    ["a Transpose of axes of one element", (b, x) => b.transpose(x, 1, 0, 2, 3)],
    ["two Transposes that undo each other", (b, x) => b.transpose(b.transpose(x, 3, 1, 0, 2), 2, 1, 3, 0)],
    [
      "a Slice of all, a Concat of one, an Expand to the same shape",
      (b, x) => b.concat(2, b.add("Expand", [b.slice(x, 2, 0, 99), b.ints(...X)])),
    ],
    ["a Concat with nothing", (b, x) => b.concat(2, b.slice(x, 2, 3, 3), x)],
  ] as [string, (b: Primitives, x: Value) => Value][])("%s: nothing is left to do", (_, build) => {
    expect(fusedOf([X], build)).toEqual([]);
  });

  it("is told from moving", () => {
    expect(fusedOf([X], (b, x) => b.transpose(x, 0, 1, 3, 2))).toEqual(["Transpose"]);
    expect(fusedOf([X], (b, x) => b.slice(x, 2, 99, -99, -1))).toEqual(["Slice"]);
    expect(fusedOf([X], (b, x) => b.transpose(b.transpose(x, 0, 1, 3, 2), 2, 1, 0, 3))).toEqual(["Transpose"]);
  });
});

describe("common subexpressions", () => {
  const X = [3, 4];
  it("are computed once, constants compared by what they hold", () => {
    const twice = (b: Primitives, x: Value): Value => {
      const part = (): Value => b.add("Exp", [b.slice(b.add("Softmax", [x], { axis: -1 }), 1, 0, 2)]);
      return b.add("MatMul", [part(), b.transpose(part(), 1, 0)]);
    };
    expect(fusedOf([X], twice).sort()).toEqual(["Exp", "Slice", "Softmax", "com.microsoft.FusedMatMul"]);
  });

  it("are told apart by attributes and constants", () => {
    const alike = (b: Primitives, x: Value): Value[] => [
      b.add("LeakyRelu", [x], { alpha: 0.1 }),
      b.add("LeakyRelu", [x], { alpha: 0.2 }),
      b.slice(x, 1, 0, 2),
      b.slice(x, 1, 2, 4),
    ];
    expect(fusedOf([X], alike)).toHaveLength(4);
    const drawn = new Primitives();
    const x = drawn.input("x", "float32", X);
    for (let i = 0; i < 2; i++) drawn.output(drawn.add("RandomUniformLike", [x]));
    expect(fusedOps(drawn.build(), [randomTensor(random, X)])).toHaveLength(2);
  });
});

describe("products of activations", () => {
  const [A, B] = [
    [2, 3, 4],
    [2, 3, 5],
  ];
  it.each([
    ["the left one transposed", (b, a, y) => b.add("MatMul", [b.transpose(a, 0, 2, 1), y])],
    [
      "scaled before and after",
      (b, a, y) =>
        b.add("Div", [b.add("MatMul", [b.add("Mul", [b.transpose(a, 0, 2, 1), b.scalar(0.5)]), y]), b.scalar(3)]),
    ],
    [
      "scaled, then transposed",
      (b, a, y) => b.add("MatMul", [b.transpose(b.add("Mul", [b.scalar(2), a]), 0, 2, 1), y]),
    ],
  ] as [string, (b: Primitives, a: Value, y: Value) => Value][])("take in %s", (_, build) => {
    expect(fusedOf([A!, B!], build)).toEqual(["com.microsoft.FusedMatMul"]);
  });

  it("leave a Transpose of the batch, a factor that is no scalar, and a product that is an output too", () => {
    const batch = fusedOf([[3, 2, 4], B!], (b, a, y) => b.add("MatMul", [b.transpose(a, 1, 2, 0), y]));
    expect(batch).toEqual(["Transpose", "MatMul"]);
    const factors = fusedOf([[2, 4, 3], B!], (b, a, y) => b.add("MatMul", [b.add("Mul", [a, weight(b, 3)]), y]));
    expect(factors).toEqual(["Mul", "MatMul"]);
    const seen = fusedOf([[2, 4, 3], B!], (b, a, y) => {
      const product = b.add("MatMul", [a, y]);
      return [b.add("Mul", [product, b.scalar(2)]), product];
    });
    expect(seen).toEqual(["MatMul", "Mul"]);
  });
});

describe("epilogues", () => {
  const X = [2, 3, 8];
  const linear = (b: Primitives, x: Value): Value => b.add("MatMul", [x, weight(b, 8, 8)]);

  it("bias, activation and residual go into a Linear", () => {
    const build = (b: Primitives, x: Value): Value =>
      b.add("Add", [x, b.add("Relu", [b.add("Add", [weight(b, 8), linear(b, x)])])]);
    expect(fusedOf([X], build)).toEqual(["Linear"]);
  });

  it("a residual before the activation, of another Linear's result", () => {
    const build = (b: Primitives, x: Value): Value => b.add("Relu", [b.add("Add", [linear(b, x), linear(b, x)])]);
    expect(fusedOf([X], build)).toEqual(["Linear", "Linear"]);
  });

  it("convolutions on both sides of a sum", () => {
    const conv = (b: Primitives, x: Value): Value => b.add("Conv", [x, weight(b, 4, 2, 1, 1)]);
    const build = (b: Primitives, x: Value): Value => b.add("Relu", [b.add("Add", [conv(b, x), conv(b, x)])]);
    expect(fusedOf([[1, 2, 4, 4]], build)).toEqual(["Conv", "Conv"]);
  });

  it.each([
    [
      "a sum that is an output too",
      (b, x) => {
        const y = linear(b, x);
        return [b.add("Relu", [y]), y];
      },
      ["Linear", "Relu"],
    ],
    ["a second activation", (b, x) => b.add("Tanh", [b.add("Relu", [linear(b, x)])]), ["Linear", "Tanh"]],
    [
      "Swish of another slope",
      (b, x) => {
        const y = linear(b, x);
        return b.add("Mul", [y, b.add("Sigmoid", [b.add("Mul", [y, b.scalar(1.7)])])]);
      },
      ["Linear", "Swish"],
    ],
    ["a bias along another axis", (b, x) => b.add("Add", [linear(b, x), weight(b, 3, 1)]), ["Linear", "Add"]],
    [
      "a sum with itself",
      (b, x) => {
        const y = linear(b, x);
        return b.add("Add", [y, y]);
      },
      ["Linear", "Add"],
    ],
    [
      "a residual that is broadcast",
      (b, x) => b.add("Add", [linear(b, x), b.slice(x, 0, 0, 1)]),
      ["Slice", "Linear", "Add"],
    ],
  ] as [string, (b: Primitives, x: Value) => Value | Value[], string[]][])("leave out %s", (_, build, left) => {
    expect(fusedOf([X], build).sort()).toEqual(left.sort());
  });
});

describe("chains of elementwise operators", () => {
  const X = [3, 5];
  it("become one, with values that several of them read", () => {
    const build = (b: Primitives, x: Value): Value => {
      const y = b.add("Tanh", [b.add("Add", [x, weight(b, 5)])]);
      return b.add("Mul", [b.add("Exp", [y]), b.add("Sub", [y, b.add("Neg", [y])])]);
    };
    expect(fusedOf([X], build)).toEqual(["Elementwise"]);
  });

  it("end where something else reads a value", () => {
    const output = fusedOf([X], (b, x) => {
      const y = b.add("Tanh", [b.add("Neg", [x])]);
      return [b.add("Exp", [b.add("Abs", [y])]), y];
    });
    expect(output).toEqual(["Elementwise", "Elementwise"]);
    const reader = fusedOf([X], (b, x) => {
      const y = b.add("Tanh", [b.add("Neg", [x])]);
      return [b.add("Exp", [b.add("Abs", [y])]), b.add("ReduceSum", [y])];
    });
    expect(reader.sort()).toEqual(["Elementwise", "Elementwise", "ReduceSum"]);
  });

  it("end where the shape grows", () => {
    const build = (b: Primitives, x: Value, y: Value): Value =>
      b.add("Exp", [b.add("Add", [b.add("Tanh", [b.add("Neg", [x])]), y])]);
    expect(fusedOf([[5], X], build)).toEqual(["Elementwise", "Elementwise"]);
  });

  it("go through truth values", () => {
    const build = (b: Primitives, x: Value): Value =>
      b.add("Where", [b.add("Greater", [x, b.scalar(0)]), b.add("Exp", [x]), b.add("Neg", [x])]);
    expect(fusedOf([X], build)).toEqual(["Elementwise"]);
  });

  it("stay within what a loop can hold", () => {
    const b = new Primitives();
    let y = b.input("x", "float32", X);
    for (let i = 0; i < 100; i++) y = b.add("Tanh", [y]);
    b.output(y);
    const { steps } = fusedSteps(b.build(), [randomTensor(random, X)]);
    expect(steps.length).toBeGreaterThan(4);
    expect(steps.length).toBeLessThan(7);
  });
});
