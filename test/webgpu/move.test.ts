import fc from "fast-check";
import { it } from "vitest";
import { moveKernels } from "../../src/backends/webgpu/kernels/move/index.js";
import { type DataType, Tensor } from "../../src/tensor/index.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

const dtypes = fc.constantFrom<DataType>("float32", "float16", "int64", "bool", "int8");
const shapes = (most: number, least = 0) =>
  fc.array(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 4 });

/** 1, 2, 3, … (bools: a pattern of them), so that an element out of place shows. */
function counting(dtype: DataType, shape: readonly number[], from = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) => (dtype === "bool" ? ((i * 7) % 3) & 1 : (from + i) % 2000));
  return Tensor.from(dtype, shape, values);
}

const ints = (values: readonly number[]) => ({ constant: Tensor.from("int64", [values.length], values) });
const runs = { numRuns: 40 };

describeGpu("moving elements on WebGPU", () => {
  it("Transpose by any permutation", async () => {
    const cases = shapes(7).chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.shuffledSubarray(
          shape.map((_, i) => i),
          { minLength: shape.length },
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(cases, dtypes, async ([shape, perm], dtype) => {
        const inputs = [counting(dtype, shape)];
        await checkOperator({ op: "Transpose", inputs, attributes: { perm } }, moveKernels, "transpose");
      }),
      runs,
    );
    for (const dtype of ["float32", "bool"] as const) {
      const inputs = [counting(dtype, [2, 600, 2, 300])];
      await checkOperator({ op: "Transpose", inputs, attributes: { perm: [0, 2, 1, 3] } }, moveKernels, "transpose");
    }
  });

  it("Concat and Split along any axis", async () => {
    const cases = shapes(8).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
        lengths: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, dtypes, async ({ shape, axis, lengths }, dtype) => {
        const parts = lengths.map((length, i) => counting(dtype, shape.with(axis, length), 100 * i));
        await checkOperator({ op: "Concat", inputs: parts, attributes: { axis } }, moveKernels, "concat");
        const total = lengths.reduce((a, b) => a + b, 0);
        const inputs = [counting(dtype, shape.with(axis, total)), ints(lengths)];
        const node = { op: "Split", inputs, outputs: lengths.length, attributes: { axis } };
        await checkOperator(node, moveKernels, "split");
      }),
      runs,
    );
  });

  it("Slice with any starts, ends and steps", async () => {
    const cut = fc.record({
      start: fc.integer({ min: -9, max: 9 }),
      end: fc.integer({ min: -9, max: 20 }),
      step: fc.constantFrom(1, 1, 2, 3, -1, -2),
    });
    const cases = shapes(8).chain((shape) =>
      fc.tuple(fc.constant(shape), fc.array(cut, { minLength: shape.length, maxLength: shape.length })),
    );
    await fc.assert(
      fc.asyncProperty(cases, dtypes, async ([shape, cuts], dtype) => {
        const [starts, ends, steps] = [cuts.map((c) => c.start), cuts.map((c) => c.end), cuts.map((c) => c.step)];
        const axes = shape.map((_, i) => i);
        const inputs = [counting(dtype, shape), ints(starts), ints(ends), ints(axes), ints(steps)];
        await checkOperator({ op: "Slice", inputs }, moveKernels, "slice");
      }),
      runs,
    );
  });

  it("Expand and Tile", async () => {
    const cases = shapes(6).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        ones: fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
        repeats: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: shape.length, maxLength: shape.length }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cases, dtypes, async ({ shape, ones, repeats }, dtype) => {
        const small = counting(
          dtype,
          shape.map((dim, i) => (ones[i] ? 1 : dim)),
        );
        await checkOperator({ op: "Expand", inputs: [small, ints([2, ...shape])] }, moveKernels, "expand");
        await checkOperator({ op: "Tile", inputs: [counting(dtype, shape), ints(repeats)] }, moveKernels, "tile");
      }),
      runs,
    );
  });

  it("Gather along any axis, with indices that count from either end", async () => {
    const cases = shapes(6, 1).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
        count: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
        seed: fc.nat(),
      }),
    );
    const indexTypes = fc.constantFrom<DataType>("int32", "int64");
    await fc.assert(
      fc.asyncProperty(cases, dtypes, indexTypes, async ({ shape, axis, count, seed }, dtype, indexType) => {
        const dim = shape.at(axis)!;
        const size = count.reduce((a, b) => a * b, 1);
        const indices = Array.from({ length: size }, (_, i) => ((seed + i * 31) % (2 * dim)) - dim);
        const inputs = [counting(dtype, shape), Tensor.from(indexType, count, indices)];
        await checkOperator({ op: "Gather", inputs, attributes: { axis } }, moveKernels, "gather");
      }),
      runs,
    );
  });

  it("Pad with zeros and with a value, also by less than nothing", async () => {
    const axis = fc.record({
      dim: fc.integer({ min: 3, max: 6 }),
      begin: fc.integer({ min: -1, max: 4 }),
      end: fc.integer({ min: -2, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(axis, { minLength: 1, maxLength: 4 }),
        dtypes,
        fc.boolean(),
        async (axes, dtype, filled) => {
          const x = counting(
            dtype,
            axes.map(({ dim }) => dim),
          );
          const pads = ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]);
          const inputs = [x, pads, ...(filled ? [Tensor.scalar(dtype, 1)] : [])];
          await checkOperator({ op: "Pad", inputs }, moveKernels, "pad");
        },
      ),
      runs,
    );
  });

  it.each(["reflect", "edge", "wrap"])("Pad by repeating: %s", async (mode) => {
    const axis = fc.record({
      dim: fc.integer({ min: 1, max: 6 }),
      begin: fc.integer({ min: -2, max: 9 }),
      end: fc.integer({ min: -2, max: 9 }),
    });
    const axes = fc.array(axis, { minLength: 1, maxLength: 3 });
    const fits = axes.filter(
      (all) =>
        all.some(({ begin, end }) => begin !== 0 || end !== 0) &&
        all.every(({ dim, begin, end }) => dim + Math.min(0, begin) + Math.min(0, end) > 0),
    );
    await fc.assert(
      fc.asyncProperty(fits, fc.constantFrom<DataType>("float32", "uint8", "int64"), async (axes, dtype) => {
        const x = counting(
          dtype,
          axes.map(({ dim }) => dim),
        );
        const pads = ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]);
        const node = { op: "Pad", version: 19, inputs: [x, pads], attributes: { mode } };
        await checkOperator(node, moveKernels, "pad by repeating");
      }),
      { numRuns: 12 },
    );
  });

  it("leaves strings and half bytes to the evaluation", async () => {
    await checkOperator({ op: "Transpose", inputs: [new Tensor("string", [1, 2], ["a", "b"])] }, moveKernels, null);
    const x = Tensor.from("int4", [2, 3], [1, 2, 3, 4, 5, 6]);
    await checkOperator({ op: "Transpose", inputs: [x] }, moveKernels, null);
  });
});
