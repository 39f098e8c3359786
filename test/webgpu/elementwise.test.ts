import fc from "fast-check";
import { it } from "vitest";
import { elementwiseKernel } from "../../src/backends/webgpu/kernels/elementwise/index.js";
import { GraphBuilder } from "../../src/graph/index.js";
import { type DataType, isFloat, isUnsigned, Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor, type Tolerance, ulps } from "../support/check-kernel.js";
import { checkGraph, checkOperator, describeGpu, rounded } from "../support/check-webgpu.js";

const kernels = [elementwiseKernel];

function tensorOf(dtype: DataType, shape: readonly number[], seed: number, scale = 4): Tensor {
  const random = randomTensor(shape, seed, scale);
  if (isFloat(dtype)) return random.to(dtype);
  const values = Array.from(random.numbers(), (x) => {
    if (dtype === "bool") return Number(x > 0);
    return isUnsigned(dtype) ? Math.abs(Math.round(10 * x)) : Math.round(10 * x);
  });
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

const floats: DataType[] = ["float32", "float16", "bfloat16"];
const wide: DataType[] = ["float32", "int32", "int64"];
const numbers: DataType[] = [...wide, "float16"];
const all: DataType[] = [...floats, "int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64"];
const binary: [string, DataType[], Tolerance][] = [
  ["Add", all, EXACT],
  ["Sub", numbers, EXACT],
  ["Mul", [...numbers, "uint64"], EXACT],
  ["Div", ["float32", "float16"], ulps(3)],
  ["Max", all, EXACT],
  ["Min", wide, EXACT],
  ["PRelu", ["float32", "float16"], EXACT],
  ["Equal", [...numbers, "uint32", "bool"], EXACT],
  ["Less", [...wide, "uint32", "uint64"], EXACT],
  ["LessOrEqual", wide, EXACT],
  ["Greater", numbers, EXACT],
  ["GreaterOrEqual", [...wide, "uint8"], EXACT],
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
  // Between loads and stores all floats are the same: a few operators show that bfloat16 comes in and out.
  it.each(unary)("%s of floats", async (op, tolerance, attributes = {}) => {
    for (const dtype of ["Neg", "Exp", "IsNaN"].includes(op) ? floats : floats.slice(0, 2)) {
      for (const shape of dtype === "float32" ? [[], [0, 3], [1], [7], [3, 5, 11], [20011]] : [[7], [2003]]) {
        const inputs = [tensorOf(dtype, shape, shape.length + 1)];
        await checkOperator({ op, inputs, attributes }, kernels, "elementwise", rounded(dtype, tolerance));
      }
    }
  });

  it.each(binary.flatMap(([op, dtypes, tolerance]) => dtypes.map((dtype) => [op, dtype, tolerance] as const)))(
    "%s of two broadcast %s",
    async (op, dtype, tolerance) => {
      await fc.assert(
        fc.asyncProperty(broadcastable(2), fc.integer(), async ([a, b], seed) => {
          const whole = a!.map((dim, axis) => Math.max(dim, b![axis]!));
          const [x, y] = [tensorOf(dtype, op === "PRelu" ? whole : a!, seed), tensorOf(dtype, b!, seed + 1)];
          await checkOperator({ op, inputs: [x, y] }, kernels, "elementwise", rounded(dtype, tolerance));
        }),
        { numRuns: wide.includes(dtype) ? 12 : 5 },
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

  it("reads every float16 and rounds to it, ties to even and beyond its range to infinity", async () => {
    const bits = new Tensor(
      "float16",
      [2 ** 16],
      Uint16Array.from({ length: 2 ** 16 }, (_, i) => i),
    );
    const floats = Tensor.from(
      "float32",
      [15],
      [
        ...[0, -0, 1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 65504, 65519, 65520, -1e6, 2 ** -24, 2 ** -25, 3 * 2 ** -25],
        ...[-(2 ** -14) + 2 ** -26, Number.POSITIVE_INFINITY, Number.NaN],
      ],
    );
    for (const [x, to] of [
      [bits, 1],
      [floats, 10],
      [floats, 16],
    ] as const)
      await checkOperator({ op: "Cast", inputs: [x], attributes: { to } }, kernels, "elementwise");
    await checkOperator({ op: "Neg", inputs: [bits] }, kernels, "elementwise");
    // numbers below float32's normal ones may become zero
    const normal = (bits.data as Uint16Array).map((v) => ((v & 0x7f80) === 0 ? 0 : v));
    const brains = new Tensor("bfloat16", [2 ** 16], normal);
    for (const op of ["Neg", "Identity"]) await checkOperator({ op, inputs: [brains] }, kernels, "elementwise");
  });

  it("casts between floats and integers of all sizes", async () => {
    const codes = {
      1: "float32",
      2: "uint8",
      3: "int8",
      4: "uint16",
      5: "int16",
      6: "int32",
      7: "int64",
      10: "float16",
    };
    for (const from of Object.values(codes) as DataType[]) {
      const values = isUnsigned(from) ? [0, 1, 77, 255, 3, 128] : [0, 1, -77, 127, -128, 3];
      for (const to of Object.keys(codes).map(Number)) {
        const inputs = [Tensor.from(from, [6], values)];
        await checkOperator({ op: "Cast", inputs, attributes: { to } }, kernels, "elementwise");
      }
    }
  });

  it("rounds inside a fused chain where a Cast says so, and nowhere else", async () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [64]);
    const half = builder.add("Cast", [builder.add("Mul", [x, x])], { to: 10 });
    builder.output(builder.add("Sub", [builder.add("Cast", [half], { to: 1 }), x]));
    await checkGraph(builder.build(), [randomTensor([64], 3, 2)], kernels, "elementwise", within(4));
    const short = new GraphBuilder();
    const h = short.input("h", "float16", [3, 7]);
    const sum = short.add("Add", [h, short.constant(randomTensor([7], 2).to("float16"))]);
    short.output(short.add("Mul", [sum, short.add("Sigmoid", [sum])]));
    // both evaluated steps before the last round as well: to 2^-11 of numbers below 3
    const tolerance = rounded("float16", () => 4 * 2 ** -11 * 3);
    await checkGraph(short.build(), [randomTensor([3, 7], 5, 2).to("float16")], kernels, "elementwise", tolerance);
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
