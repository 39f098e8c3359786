import fc from "fast-check";
import { it } from "vitest";
import { reduceKernels } from "../../src/backends/webgpu/kernels/reduce/index.js";
import { castTensor } from "../../src/ops/math/cast-values.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";
import { randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

/** Sums of up to 2000 terms below 2: each addition may be off by half a unit of the sum so far. */
const summed: Tolerance = (wanted) => 2000 * 2 ** -24 * Math.max(2, Math.abs(wanted));
/** Exponentials and logarithms of WGSL, and a sum. */
const exponential: Tolerance = (wanted) => 2 ** -19 * Math.max(1e-3, Math.abs(wanted)) + 2 ** -21;

const ints = (values: readonly number[]) => ({ constant: Tensor.from("int64", [values.length], values) });
const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });
const runs = { numRuns: 25 };

describeGpu("reductions on WebGPU", () => {
  it.each(["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum"])(
    "Reduce%s over any axes",
    async (name) => {
      const cases = shapes.chain((shape) =>
        fc.record({
          shape: fc.constant(shape),
          axes: fc.subarray(
            shape.map((_, axis) => axis),
            { minLength: 1 },
          ),
          keepdims: fc.constantFrom(0, 1),
          seed: fc.nat(),
        }),
      );
      const check = async (shape: readonly number[], axes: readonly number[], keepdims: number, seed: number) => {
        const random = randomTensor(shape, seed);
        // products stay away from what underflows, logarithms from what has none
        const x = name === "Prod" || name === "LogSum" ? random.numbers().map((v) => 1 + 0.1 * v) : random.numbers();
        const inputs = [Tensor.from("float32", shape, x), ints(axes)];
        await checkOperator({ op: `Reduce${name}`, inputs, attributes: { keepdims } }, reduceKernels, "reduce", summed);
      };
      await fc.assert(
        fc.asyncProperty(cases, ({ shape, axes, keepdims, seed }) => check(shape, axes, keepdims, seed)),
        runs,
      );
      if (name !== "Prod") for (const axes of [[1], [0], [0, 1]]) await check([3, 619], axes, 0, 7);
    },
  );

  it.each(["Sum", "Max", "Min", "Prod", "L1", "SumSquare"])("Reduce%s of integers, exactly", async (name) => {
    const dtypes = ["int32", "uint32", "int64", "uint64", "int8", "uint8", "int16", "uint16"] as const;
    const cases = shapes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        dtype: fc.constantFrom(...dtypes),
        axes: fc.subarray(
          shape.map((_, axis) => axis),
          { minLength: 1 },
        ),
      }),
    );
    const check = async (dtype: DataType, shape: readonly number[], axes: readonly number[]) => {
      const long = dtype.endsWith("64");
      const random = randomTensor(shape, axes.length, 2 ** 31).numbers();
      const bits = Array.from(random, (v, i) => BigInt(Math.round(v)) * (long ? BigInt(7919 * (i + 1)) : 1n));
      const whole = new Tensor("int64", shape, BigInt64Array.from(bits));
      const x = long ? new Tensor(dtype, shape, BigUint64Array.from(bits)) : castTensor(whole, dtype);
      const node = { op: `Reduce${name}`, inputs: [long && dtype === "int64" ? whole : x, ints(axes)] };
      await checkOperator(node, reduceKernels, "reduce");
    };
    await fc.assert(
      fc.asyncProperty(cases, ({ shape, dtype, axes }) => check(dtype, shape, axes)),
      { numRuns: 12 },
    );
    for (const dtype of ["int32", "uint64"] as const) await check(dtype, [3, 101], [1]);
    const means = { op: "ReduceMean", inputs: [Tensor.from("int32", [2], [1, 2]), ints([0])] };
    await checkOperator(means, reduceKernels, null);
  });

  it.each(["Softmax", "LogSoftmax"])("%s along any axis", async (op) => {
    const cases = shapes.chain((shape) => fc.tuple(fc.constant(shape), fc.nat({ max: shape.length - 1 }), fc.nat()));
    const check = async (shape: readonly number[], axis: number, seed: number) => {
      const inputs = [randomTensor(shape, seed, 8)];
      await checkOperator({ op, inputs, attributes: { axis } }, reduceKernels, "softmax", exponential);
    };
    await fc.assert(
      fc.asyncProperty(cases, ([shape, axis, seed]) => check(shape, axis, seed)),
      runs,
    );
    for (const axis of [0, 1]) await check([5, 1003], axis, 3);
    await checkOperator({ op, inputs: [randomTensor([0, 4], 1)] }, reduceKernels, "softmax");
  });

  it("Softmax hides what is minus infinity", async () => {
    const x = Tensor.from("float32", [2, 3], [0, Number.NEGATIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 5, 5]);
    await checkOperator({ op: "Softmax", inputs: [x] }, reduceKernels, "softmax", exponential);
  });

  it("Softmax of rows beyond one dimension of workgroups", async () => {
    await checkOperator(
      { op: "Softmax", inputs: [randomTensor([65537, 2], 5)] },
      reduceKernels,
      "softmax",
      exponential,
    );
  });

  it.each(["ArgMax", "ArgMin"])("%s, the first or the last of equals", async (op) => {
    const x = Tensor.from(
      "float32",
      [3, 5, 4],
      Array.from({ length: 60 }, (_, i) => (i * 7) % 5),
    );
    for (const axis of [0, 1, -1]) {
      for (const select_last_index of [0, 1])
        for (const dtype of ["float32", "int32", "uint8", "int64"] as const) {
          const attributes = { axis, select_last_index };
          await checkOperator({ op, inputs: [castTensor(x, dtype)], attributes }, reduceKernels, "arg extreme");
        }
    }
  });
});
