import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkGraph,
  checkOperator,
  EXACT,
  randomTensor,
  type Tolerance,
  ulps,
} from "../../../../../test/support/check-kernel.js";
import { GraphBuilder } from "../../../../graph/index.js";
import { type DataType, Tensor } from "../../../../tensor/index.js";
import { isFusible } from "../../../specs/elementwise/program.js";
import { elementwiseKernel } from "./index.js";

const kernels = [elementwiseKernel];

/** Values of any lane type, from random floats. */
function tensorOf(dtype: DataType, shape: readonly number[], seed: number, scale = 4): Tensor {
  const random = randomTensor(shape, seed, scale);
  if (dtype === "float32") return random;
  return Tensor.from(
    dtype,
    shape,
    Array.from(random.numbers(), (x) => (dtype === "bool" ? Number(x > 0) : Math.round(10 * x))),
  );
}

/** Two or three shapes that broadcast to one. */
const broadcastable = (count: number) =>
  fc
    .array(
      fc.record({
        dim: fc.integer({ min: 0, max: 9 }),
        ones: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      }),
      { maxLength: 5 },
    )
    .chain((axes) =>
      fc
        .record({
          drop: fc.array(fc.integer({ min: 0, max: axes.length }), { minLength: count, maxLength: count }),
        })
        .map(({ drop }) =>
          Array.from({ length: count }, (_, i) =>
            axes.map(({ dim, ones }) => (ones[i] ? 1 : dim)).slice(i === 0 ? 0 : drop[i]),
          ),
        ),
    );

const unary: [string, Tolerance, Record<string, number | string>?, ((x: Tensor) => Tensor)?][] = [
  ["Abs", EXACT],
  ["Neg", EXACT],
  ["Sqrt", ulps(1)],
  ["Reciprocal", ulps(1)],
  ["Floor", EXACT],
  ["Ceil", EXACT],
  ["Round", EXACT],
  ["Sign", EXACT],
  ["Exp", ulps(2)],
  ["Log", ulps(2)],
  ["Tanh", ulps(2)],
  ["Erf", ulps(2)],
  ["Sigmoid", ulps(2)],
  ["Softplus", ulps(3)],
  ["Softsign", ulps(2)],
  ["Sin", (y) => 2e-7 + 0 * y],
  ["Cos", (y) => 2e-7 + 0 * y],
  ["Relu", EXACT],
  ["HardSwish", () => 4 * 2 ** -22],
  ["Mish", ulps(10)],
  ["LeakyRelu", ulps(1), { alpha: 0.1 }],
  ["Elu", ulps(4), { alpha: 1.5 }],
  ["Celu", ulps(5), { alpha: 1.5 }],
  ["Selu", ulps(6)],
  ["HardSigmoid", () => 2 ** -22, { alpha: 0.3, beta: 0.25 }],
  ["ThresholdedRelu", EXACT, { alpha: 0.5 }],
  ["Gelu", (y) => 4e-7 + 2 ** -22 * Math.abs(y)],
  ["Gelu", (y) => 4e-7 + 2e-5 * Math.abs(y), { approximate: "tanh" }],
  ["IsNaN", EXACT],
  ["Identity", EXACT],
];

describe("one elementwise operator", () => {
  it.each(unary)("%s of float32", (op, tolerance, attributes = {}) => {
    for (const shape of [[], [0, 3], [1], [7], [64], [3, 5, 11], [20011]])
      checkOperator(
        { op, version: op === "Swish" ? 24 : 21, inputs: [tensorOf("float32", shape, shape.length + 1)], attributes },
        kernels,
        op === "Identity" ? null : "elementwise",
        tolerance,
      );
  });

  const binary: [string, DataType[], Tolerance][] = [
    ["Add", ["float32", "int32", "int64"], EXACT],
    ["Sub", ["float32", "int32", "int64"], EXACT],
    ["Mul", ["float32", "int32", "int64"], EXACT],
    ["Div", ["float32"], EXACT],
    ["Max", ["float32", "int32", "int64"], EXACT],
    ["Min", ["float32", "int32", "int64"], EXACT],
    ["PRelu", ["float32"], EXACT],
    ["Equal", ["float32", "int32", "int64", "bool"], EXACT],
    ["Less", ["float32", "int32", "int64"], EXACT],
    ["LessOrEqual", ["float32", "int32", "int64"], EXACT],
    ["Greater", ["float32", "int32", "int64"], EXACT],
    ["GreaterOrEqual", ["float32", "int32", "int64"], EXACT],
    ["And", ["bool"], EXACT],
    ["Or", ["bool"], EXACT],
    ["Xor", ["bool"], EXACT],
  ];
  it.each(binary.flatMap(([op, dtypes, tolerance]) => dtypes.map((dtype) => [op, dtype, tolerance] as const)))(
    "%s of two broadcast %s",
    (op, dtype, tolerance) => {
      fc.assert(
        fc.property(broadcastable(2), fc.integer(), ([a, b], seed) => {
          const [x, y] = [tensorOf(dtype, a!, seed), tensorOf(dtype, b!, seed + 1)];
          if (op === "PRelu" && sizeless(a!, b!)) return;
          checkOperator({ op, inputs: [x, y] }, kernels, "elementwise", tolerance);
        }),
        { numRuns: 25 },
      );
    },
  );
  const sizeless = (a: number[], b: number[]) =>
    a.some((dim, i) => dim === 1 && b[b.length - a.length + i] !== undefined && b[b.length - a.length + i] !== 1);

  it("three broadcast inputs: Where, Sum, Mean, Clip with bounds", () => {
    fc.assert(
      fc.property(
        broadcastable(3),
        fc.constantFrom<DataType>("float32", "int32", "int64", "bool"),
        fc.integer(),
        ([a, b, c], dtype, seed) => {
          const [x, y] = [tensorOf(dtype, b!, seed), tensorOf(dtype, c!, seed + 1)];
          checkOperator({ op: "Where", inputs: [tensorOf("bool", a!, seed + 2), x, y] }, kernels, "elementwise");
          if (dtype !== "float32") return;
          const inputs = [tensorOf(dtype, a!, seed), x, y];
          // Three roundings of sums below 12.
          checkOperator({ op: "Sum", inputs }, kernels, "elementwise", () => 24 * 2 ** -24);
          checkOperator({ op: "Mean", inputs }, kernels, "elementwise", () => 12 * 2 ** -24);
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(["float32", "int32", "int64"] as const)("Clip of %s", (dtype) => {
    const x = tensorOf(dtype, [5, 13], 3);
    const bound = (value: number) => ({ constant: Tensor.scalar(dtype, value) });
    for (const inputs of [[x], [x, bound(-1)], [x, null, bound(2)], [x, bound(-1), bound(2)], [x, bound(3), bound(-3)]])
      checkOperator({ op: "Clip", inputs }, kernels, "elementwise");
    if (dtype === "float32")
      checkOperator(
        { op: "Clip", version: 6, inputs: [x], attributes: { min: -0.5, max: 0.5 } },
        kernels,
        "elementwise",
      );
  });

  it("Pow, with exponents that are constants and that are not", () => {
    const x = Tensor.from("float32", [3, 21], Array.from(tensorOf("float32", [63], 5).numbers(), Math.abs));
    const y = tensorOf("float32", [21], 6);
    checkOperator({ op: "Pow", inputs: [x, y] }, kernels, "elementwise", ulps(3));
    for (const exponent of [1, 2, 3, 0.5, -1, -0.5, 0.3])
      checkOperator(
        { op: "Pow", inputs: [x, { constant: Tensor.scalar("float32", exponent) }] },
        kernels,
        "elementwise",
        ulps(3),
      );
    checkOperator({ op: "Pow", inputs: [x, { constant: Tensor.scalar("int64", 2) }] }, kernels, "elementwise", ulps(1));
  });

  const types = ["float32", "int32", "int64", "bool"] as const;
  it.each(types.flatMap((from) => types.filter((to) => to !== from).map((to) => [from, to] as const)))(
    "Cast from %s to %s",
    (from, to) => {
      const code = { float32: 1, int32: 6, int64: 7, bool: 9 }[to];
      for (const shape of [[0], [5], [3, 9]])
        checkOperator(
          { op: "Cast", inputs: [tensorOf(from, shape, 9)], attributes: { to: code } },
          kernels,
          "elementwise",
        );
    },
  );

  it("com.microsoft's activations, with their biases", () => {
    const domain = "com.microsoft";
    const [x, bias] = [tensorOf("float32", [3, 5, 13], 1), tensorOf("float32", [13], 2)];
    const gelu: Tolerance = (y) => 4e-7 + 2e-5 * Math.abs(y);
    checkOperator({ op: "Gelu", domain, inputs: [x] }, kernels, "elementwise", gelu);
    checkOperator({ op: "BiasGelu", domain, inputs: [x, bias] }, kernels, "elementwise", gelu);
    checkOperator({ op: "FastGelu", domain, inputs: [x] }, kernels, "elementwise", gelu);
    checkOperator({ op: "FastGelu", domain, inputs: [x, bias] }, kernels, "elementwise", gelu);
    checkOperator(
      { op: "QuickGelu", domain, inputs: [x], attributes: { alpha: 1.5 } },
      kernels,
      "elementwise",
      ulps(5),
    );
  });

  it("tells which nodes a fused loop can hold", () => {
    const fusible = (op: string, dtypes: (DataType | undefined)[], attributes = {}, result?: DataType) => {
      const builder = new GraphBuilder();
      const values = dtypes.map((dtype, i) => builder.input(`x${i}`, dtype ?? "string", null));
      builder.output(builder.add(op, values, attributes));
      return isFusible(builder.build().nodes[0]!, (value) =>
        values.includes(value) ? dtypes[values.indexOf(value)] : result,
      );
    };
    expect(fusible("Add", ["float32", "float32"])).toBe(true);
    expect(fusible("Add", ["int64", "int64"])).toBe(true);
    expect(fusible("Where", ["bool", "float32", "float32"])).toBe(true);
    expect(fusible("Cast", ["int64"], { to: 1 })).toBe(true);
    expect(fusible("Cast", ["float32"], { to: 10 }, "float16")).toBe(false);
    expect(fusible("Cast", ["float32"], { to: 3 }, "int8")).toBe(false);
    expect(fusible("Div", ["int64", "int64"])).toBe(false);
    expect(fusible("Add", ["float16", "float16"])).toBe(false);
    expect(fusible("Add", ["float32", undefined])).toBe(false);
    expect(fusible("MatMul", ["float32", "float32"])).toBe(false);
  });

  it("leaves what has no lanes to the evaluation", () => {
    checkOperator({ op: "Add", inputs: [tensorOf("float64", [3], 1), tensorOf("float64", [3], 2)] }, kernels, null);
    checkOperator(
      { op: "Div", inputs: [tensorOf("int32", [3], 1), Tensor.from("int32", [3], [1, 2, 3])] },
      kernels,
      null,
    );
  });
});

describe("a fused chain of elementwise operators", () => {
  /** gelu(x·scale + bias) and its square where the mask holds. */
  function chain(shapes: readonly (readonly number[])[], seed: number) {
    const body = new GraphBuilder("body");
    const [x, scale, bias, mask] = ["float32", "float32", "float32", "bool"].map((dtype, i) =>
      body.input(`b${i}`, dtype as DataType, null),
    ) as never[];
    const affine = body.add("Add", [body.add("Mul", [x!, scale!]), bias!]);
    const half = body.add("Mul", [affine, body.constant(Tensor.scalar("float32", 0.5))]);
    const erf = body.add("Erf", [body.add("Div", [affine, body.constant(Tensor.scalar("float32", Math.SQRT2))])]);
    const gelu = body.add("Mul", [half, body.add("Add", [erf, body.constant(Tensor.scalar("float32", 1))])]);
    body.output(gelu);
    body.output(body.add("Where", [mask!, body.add("Mul", [gelu, gelu]), body.constant(Tensor.scalar("float32", -1))]));
    const builder = new GraphBuilder();
    const feeds = shapes.map((shape, i) => tensorOf(i === 3 ? "bool" : "float32", shape, seed + i));
    const inputs = feeds.map((feed, i) => builder.input(`x${i}`, feed.dtype, feed.shape));
    for (const output of builder.addMany(
      "Elementwise",
      inputs,
      2,
      { body: { kind: "graph", value: body.build() } },
      { domain: "ai.nonzero" },
    ))
      builder.output(output);
    return { graph: builder.build(), feeds };
  }

  // The terms are below 20 and the square below 400; each of a dozen operations rounds at 2^-24 of what it holds.
  const tolerance: Tolerance = () => 12 * 400 * 2 ** -24;

  it.each([
    [[2, 3, 8], [8], [8], [2, 3, 8]],
    [[2, 3, 7], [7], [1], [3, 1]],
    [[4, 5, 6, 7], [], [5, 1, 1], [4, 1, 1, 7]],
    [[130, 300], [300], [300], [130, 1]],
  ])("of shapes %j", (...shapes) => {
    const { graph, feeds } = chain(
      shapes.map((shape) => [...shape]),
      11,
    );
    checkGraph(graph, feeds, kernels, "elementwise", tolerance);
  });

  it("falls back where the outputs differ in shape", () => {
    const { graph, feeds } = chain([[7], [7], [7], [3, 1]], 5);
    expect(() => checkGraph(graph, feeds, kernels, null, tolerance)).not.toThrow();
  });
});
