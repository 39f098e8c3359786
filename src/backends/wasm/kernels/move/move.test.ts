import fc from "fast-check";
import { describe, it } from "vitest";
import { checkOperator } from "../../../../../test/support/check-kernel.js";
import { type DataType, Tensor } from "../../../../tensor/index.js";
import { moveKernels } from "./index.js";

const DTYPES: readonly DataType[] = ["float32", "float16", "int64", "bool", "int8", "float64"];
const dtypes = fc.constantFrom(...DTYPES);
const shapes = (most: number, rank = 5) => fc.array(fc.integer({ min: 0, max: most }), { maxLength: rank });

/** 1, 2, 3, … (bools: which of them are odd), so that an element out of place shows. */
function counting(dtype: DataType, shape: readonly number[], from = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return Tensor.from(
    dtype,
    shape,
    Array.from({ length: size }, (_, i) => (dtype === "bool" ? ((i * 7) % 3) & 1 : (from + i) % 2000)),
  );
}

const ints = (values: readonly number[]) => ({ constant: Tensor.from("int64", [values.length], values) });

/** A permutation of 0 … rank - 1. */
const permutations = (rank: number) =>
  fc
    .array(fc.integer({ min: 0, max: 1e6 }), { minLength: rank, maxLength: rank })
    .map((keys) => keys.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!));

const runs = { numRuns: 60 };

describe("moving kernels", () => {
  it("Transpose by any permutation", () => {
    fc.assert(
      fc.property(
        shapes(7).chain((shape) => fc.tuple(fc.constant(shape), permutations(shape.length))),
        dtypes,
        ([shape, perm], dtype) => {
          checkOperator(
            { op: "Transpose", inputs: [counting(dtype, shape)], attributes: { perm } },
            moveKernels,
            "transpose",
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    [
      [65, 34],
      [1, 0],
    ],
    [
      [3, 17, 5, 8],
      [0, 2, 1, 3],
    ],
    [
      [2, 19, 3, 21],
      [0, 2, 3, 1],
    ],
    [
      [300, 301],
      [1, 0],
    ],
    [
      [4, 4, 4],
      [2, 1, 0],
    ],
    [
      [2, 600, 2, 300],
      [0, 2, 1, 3],
    ],
  ])("Transpose of %j by %j", (shape, perm) => {
    for (const dtype of DTYPES)
      checkOperator(
        { op: "Transpose", inputs: [counting(dtype, shape)], attributes: { perm } },
        moveKernels,
        "transpose",
      );
  });

  it("Concat and Split along any axis", () => {
    const cases = shapes(6, 4)
      .filter((shape) => shape.length > 0)
      .chain((shape) =>
        fc.record({
          shape: fc.constant(shape),
          axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
          lengths: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 4 }),
        }),
      );
    fc.assert(
      fc.property(cases, dtypes, ({ shape, axis, lengths }, dtype) => {
        const parts = lengths.map((length) => shape.with(axis, length));
        checkOperator(
          { op: "Concat", inputs: parts.map((part, i) => counting(dtype, part, 100 * i)), attributes: { axis } },
          moveKernels,
          "concat",
        );
        const whole = shape.with(
          axis,
          lengths.reduce((a, b) => a + b, 0),
        );
        checkOperator(
          {
            op: "Split",
            inputs: [counting(dtype, whole), ints(lengths)],
            outputs: lengths.length,
            attributes: { axis },
          },
          moveKernels,
          "split",
        );
      }),
      runs,
    );
  });

  it("long runs", () => {
    checkOperator(
      {
        op: "Concat",
        inputs: [counting("float32", [3, 700]), counting("float32", [3, 5000])],
        attributes: { axis: 1 },
      },
      moveKernels,
      "concat",
    );
    checkOperator(
      { op: "Concat", inputs: [counting("int8", [300001]), counting("int8", [77])], attributes: { axis: 0 } },
      moveKernels,
      "concat",
    );
  });

  it("Slice with any starts, ends and steps", () => {
    const cut = fc.record({
      start: fc.integer({ min: -9, max: 9 }),
      end: fc.integer({ min: -9, max: 20 }),
      step: fc.constantFrom(1, 1, 2, 3, -1, -2),
    });
    const cases = shapes(8, 4).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        cuts: fc.array(cut, { minLength: shape.length, maxLength: shape.length }),
      }),
    );
    fc.assert(
      fc.property(cases, dtypes, ({ shape, cuts }, dtype) => {
        const list = (pick: (c: (typeof cuts)[number]) => number) => ints(cuts.map(pick));
        const inputs = [
          counting(dtype, shape),
          list((c) => c.start),
          list((c) => c.end),
          ints(shape.map((_, i) => i - shape.length)),
          list((c) => c.step),
        ];
        checkOperator({ op: "Slice", inputs }, moveKernels, "slice");
      }),
      { numRuns: 120 },
    );
  });

  it("Slice of opset 9, whose bounds are attributes", () => {
    checkOperator(
      {
        op: "Slice",
        version: 9,
        inputs: [counting("float32", [5, 6])],
        attributes: { starts: [1, -3], ends: [4, 100], axes: [0, 1] },
      },
      moveKernels,
      "slice",
    );
  });

  it("Expand and Tile", () => {
    const cases = shapes(6, 4).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        ones: fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
        repeats: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: shape.length, maxLength: shape.length }),
      }),
    );
    fc.assert(
      fc.property(cases, dtypes, ({ shape, ones, repeats }, dtype) => {
        const small = shape.map((dim, i) => (ones[i] ? 1 : dim));
        checkOperator({ op: "Expand", inputs: [counting(dtype, small), ints([2, ...shape])] }, moveKernels, "expand");
        checkOperator({ op: "Tile", inputs: [counting(dtype, shape), ints(repeats)] }, moveKernels, "tile");
      }),
      runs,
    );
  });

  it.each(["DCR", "CRD"])("DepthToSpace (%s) and SpaceToDepth", (mode) => {
    for (const dtype of DTYPES) {
      checkOperator(
        { op: "DepthToSpace", inputs: [counting(dtype, [2, 12, 3, 5])], attributes: { blocksize: 2, mode } },
        moveKernels,
        "depth to space",
      );
      checkOperator(
        { op: "SpaceToDepth", inputs: [counting(dtype, [2, 3, 4, 6])], attributes: { blocksize: 2 } },
        moveKernels,
        "space to depth",
      );
    }
  });

  it("Gather along any axis, with indices that count from either end", () => {
    const cases = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
        count: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 2 }),
        seed: fc.nat(),
      }),
    );
    fc.assert(
      fc.property(
        cases,
        dtypes,
        fc.constantFrom<DataType>("int32", "int64"),
        ({ shape, axis, count, seed }, dtype, indexType) => {
          const dim = shape.at(axis)!;
          const size = count.reduce((a, b) => a * b, 1);
          const indices = Array.from({ length: size }, (_, i) => ((seed + i * 31) % (2 * dim)) - dim);
          checkOperator(
            {
              op: "Gather",
              inputs: [counting(dtype, shape), Tensor.from(indexType, count, indices)],
              attributes: { axis },
            },
            moveKernels,
            "gather",
          );
        },
      ),
      runs,
    );
  });

  it("Pad with zeros and with a value, also by less than nothing", () => {
    const cases = fc.array(
      fc.record({
        dim: fc.integer({ min: 3, max: 6 }),
        begin: fc.integer({ min: -1, max: 4 }),
        end: fc.integer({ min: -2, max: 4 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(cases, dtypes, fc.boolean(), (axes, dtype, filled) => {
        const pads = ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]);
        const fill = filled ? [Tensor.scalar(dtype, 1)] : [];
        checkOperator(
          {
            op: "Pad",
            inputs: [
              counting(
                dtype,
                axes.map(({ dim }) => dim),
              ),
              pads,
              ...fill,
            ],
          },
          moveKernels,
          "pad",
        );
      }),
      runs,
    );
    checkOperator(
      { op: "Pad", inputs: [counting("float32", [130, 200]), ints([1, 2, 3, 4]), Tensor.scalar("float32", 7)] },
      moveKernels,
      "pad",
    );
  });

  it.each(["reflect", "edge", "wrap"])("Pad by repeating: %s", (mode) => {
    const cases = fc.array(
      fc.record({
        dim: fc.integer({ min: 3, max: 6 }),
        begin: fc.integer({ min: -1, max: 2 }),
        end: fc.integer({ min: -1, max: 2 }),
      }),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(cases, dtypes, (axes, dtype) => {
        if (axes.every(({ begin, end }) => begin === 0 && end === 0)) return;
        const pads = ints([...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)]);
        checkOperator(
          {
            op: "Pad",
            inputs: [
              counting(
                dtype,
                axes.map(({ dim }) => dim),
              ),
              pads,
            ],
            attributes: { mode },
          },
          moveKernels,
          "pad by repeating",
        );
      }),
      runs,
    );
  });

  it("shares memory where only the shape changes", () => {
    const x = counting("float32", [2, 1, 6]);
    checkOperator({ op: "Reshape", inputs: [x, ints([3, -1])] }, moveKernels, "alias");
    checkOperator({ op: "Squeeze", inputs: [x, ints([1])] }, moveKernels, "alias");
    checkOperator({ op: "Unsqueeze", inputs: [x, ints([0, 3])] }, moveKernels, "alias");
    checkOperator({ op: "Flatten", inputs: [x] }, moveKernels, "alias");
    checkOperator({ op: "Dropout", inputs: [x, { constant: Tensor.scalar("float32", 0.5) }] }, moveKernels, "alias");
  });

  it("leaves the rest to the evaluation", () => {
    checkOperator({ op: "Transpose", inputs: [new Tensor("string", [1, 2], ["a", "b"])] }, moveKernels, null);
    checkOperator({ op: "Transpose", inputs: [Tensor.from("int4", [2, 3], [1, 2, 3, 4, 5, 6])] }, moveKernels, null);
  });
});
