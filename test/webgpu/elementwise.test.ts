import fc from "fast-check";
import { it } from "vitest";
import { elementwiseKernel } from "../../src/backends/webgpu/kernels/elementwise/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor, type Tolerance, ulps } from "../support/check-kernel.js";
import { checkGraph, checkOperator, describeGpu } from "../support/check-webgpu.js";

const kernels = [elementwiseKernel];

function tensorOf(dtype: DataType, shape: readonly number[], seed: number, scale = 4): Tensor {
  const random = randomTensor(shape, seed, scale);
  if (dtype === "float32") return random;
  const values = Array.from(random.numbers(), (x) => (dtype === "bool" ? Number(x > 0) : Math.round(10 * x)));
  return Tensor.from(dtype, shape, values);
}

/** WGSL's accuracy of exp for |x| ≤ 4, and of what divides by a sum with it: 3 + 2·4 units, and 2.5 more. */
const EXP = ulps(11);
/** Where terms cancel, the error is that of the terms: a few units of numbers up to `size`. */
const within =
  (size: number): Tolerance =>
  (wanted) =>
    2 ** -20 * Math.max(size, Math.abs(wanted));

const unary: [string, Tolerance, Record<string, number | string>?][] = [
  ["Abs", EXACT],
  ["Neg", EXACT],
  ["Sqrt", ulps(4)],
  ["Reciprocal", ulps(3)],
  ["Floor", EXACT],
  ["Ceil", EXACT],
  ["Round", EXACT],
  ["Sign", EXACT],
  ["Exp", EXP],
  ["Log", (y) => 2 ** -21 + ulps(3)(y)],
  ["Tanh", ulps(16)],
  ["Erf", within(1)],
  ["Sigmoid", ulps(16)],
  ["Softplus", within(1)],
  ["Softsign", ulps(4)],
  ["Sin", within(1)],
  ["Cos", within(1)],
  ["Relu", EXACT],
  ["HardSwish", within(1)],
  ["Mish", within(4)],
  ["LeakyRelu", ulps(1), { alpha: 0.1 }],
  ["Elu", ulps(16), { alpha: 1.5 }],
  ["Celu", ulps(20), { alpha: 1.5 }],
  ["Selu", ulps(16)],
  ["HardSigmoid", within(1), { alpha: 0.3, beta: 0.25 }],
  ["ThresholdedRelu", EXACT, { alpha: 0.5 }],
  ["Gelu", within(1)],
  ["Gelu", within(1), { approximate: "tanh" }],
  ["IsNaN", EXACT],
];

const floats: DataType[] = ["float32"];
const numbers: DataType[] = ["float32", "int32", "int64"];
const binary: [string, DataType[], Tolerance][] = [
  ["Add", numbers, EXACT],
  ["Sub", numbers, EXACT],
  ["Mul", numbers, EXACT],
  ["Div", floats, ulps(3)],
  ["Max", numbers, EXACT],
  ["Min", numbers, EXACT],
  ["PRelu", floats, EXACT],
  ["Equal", [...numbers, "bool"], EXACT],
  ["Less", numbers, EXACT],
  ["LessOrEqual", numbers, EXACT],
  ["Greater", numbers, EXACT],
  ["GreaterOrEqual", numbers, EXACT],
  ["And", ["bool"], EXACT],
  ["Or", ["bool"], EXACT],
  ["Xor", ["bool"], EXACT],
];

/** Two or three shapes that broadcast to one, the first to the second's for PReLU. */
const broadcastable = (count: number) =>
  fc
    .array(
      fc.record({
        dim: fc.constantFrom(0, 1, 2, 3, 4, 5, 8),
        ones: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      }),
      { maxLength: 4 },
    )
    .map((axes) =>
      Array.from({ length: count }, (_, i) => axes.map(({ dim, ones }) => (ones[i] && dim > 0 ? 1 : dim))),
    );

describeGpu("elementwise operators on WebGPU", () => {
  it.each(unary)("%s of float32", async (op, tolerance, attributes = {}) => {
    for (const shape of [[], [0, 3], [1], [7], [3, 5, 11], [20011]]) {
      const inputs = [tensorOf("float32", shape, shape.length + 1)];
      await checkOperator({ op, inputs, attributes }, kernels, "elementwise", tolerance);
    }
  });

  it.each(binary.flatMap(([op, dtypes, tolerance]) => dtypes.map((dtype) => [op, dtype, tolerance] as const)))(
    "%s of two broadcast %s",
    async (op, dtype, tolerance) => {
      await fc.assert(
        fc.asyncProperty(broadcastable(2), fc.integer(), async ([a, b], seed) => {
          const whole = a!.map((dim, axis) => Math.max(dim, b![axis]!));
          const [x, y] = [tensorOf(dtype, op === "PRelu" ? whole : a!, seed), tensorOf(dtype, b!, seed + 1)];
          await checkOperator({ op, inputs: [x, y] }, kernels, "elementwise", tolerance);
        }),
        { numRuns: 12 },
      );
    },
  );

  it("propagates NaN and infinities", async () => {
    const x = Tensor.from("float32", [6], [Number.NaN, 1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2]);
    const y = Tensor.from("float32", [6], [1, Number.NaN, 1, 1, 1, Number.NEGATIVE_INFINITY]);
    for (const op of ["Max", "Min", "Add"]) await checkOperator({ op, inputs: [x, y] }, kernels, "elementwise");
    for (const op of ["Relu", "IsNaN", "Tanh", "Exp", "Log", "Sqrt", "Erf"])
      await checkOperator({ op, inputs: [x] }, kernels, "elementwise", ulps(16));
  });

  it("turns angles of many turns", async () => {
    const x = Tensor.from("float32", [6], [1000, -12345.678, 100.5, -3.5, 20000, 1e-20]);
    for (const op of ["Sin", "Cos"]) await checkOperator({ op, inputs: [x] }, kernels, "elementwise", within(2));
  });

  it("multiplies, compares and converts 64-bit integers", async () => {
    const list = [
      0n,
      1n,
      -1n,
      2n ** 40n + 7n,
      -(2n ** 50n) + 3n,
      2n ** 31n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      12345678901n,
    ];
    const x = new Tensor("int64", [9, 1], BigInt64Array.from(list));
    const y = new Tensor("int64", [1, 9], BigInt64Array.from(list));
    for (const op of ["Mul", "Add", "Sub", "Less", "GreaterOrEqual", "Equal", "Max"])
      await checkOperator({ op, inputs: [x, y] }, kernels, "elementwise");
    for (const to of [1, 6, 7, 9]) {
      await checkOperator({ op: "Cast", inputs: [x], attributes: { to } }, kernels, "elementwise", ulps(1));
      const f = Tensor.from("float32", [7], [0, -1.5, 3e9, -3e9 - 77, 2.9, 1e18, 0.5]);
      if (to !== 6) await checkOperator({ op: "Cast", inputs: [f], attributes: { to } }, kernels, "elementwise");
      const b = Tensor.from("bool", [5], [0, 1, 1, 0, 1]);
      await checkOperator({ op: "Cast", inputs: [b], attributes: { to } }, kernels, "elementwise");
      const i = Tensor.from("int32", [5], [0, -1, 2 ** 31 - 1, -(2 ** 31), 77]);
      await checkOperator({ op: "Cast", inputs: [i], attributes: { to } }, kernels, "elementwise");
    }
  });

  it("chooses by a condition, and raises to powers", async () => {
    for (const dtype of ["float32", "int32", "int64"] as const) {
      const inputs = [tensorOf("bool", [2, 1, 9], 1), tensorOf(dtype, [5, 9], 2), tensorOf(dtype, [2, 5, 1], 3)];
      await checkOperator({ op: "Where", inputs }, kernels, "elementwise");
    }
    const x = Tensor.from("float32", [6], [-2, -1.5, 0, 0.5, 2, 10]);
    for (const exponent of [0, 1, 2, 3, -1, 0.5, 5, -3, 2.5]) {
      const y = { constant: Tensor.scalar("float32", exponent) };
      // y · log2(x) is known to a few units, and exp2 of it is off by so much relatively
      await checkOperator({ op: "Pow", inputs: [x, y] }, kernels, "elementwise", ulps(64));
    }
  });

  it("fuses a chain into one launch", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [3, 10]);
    const bias = builder.constant(randomTensor([10], 3));
    const sum = builder.add("Add", [x, bias]);
    const low = builder.constant(Tensor.scalar("float32", -0.5));
    const clipped = builder.add("Clip", [sum, low, null]);
    builder.output(builder.add("Mul", [clipped, builder.add("Sigmoid", [clipped])]));
    await checkGraph(builder.build(), [randomTensor([3, 10], 9, 2)], kernels, "elementwise", within(2));
  });
});
