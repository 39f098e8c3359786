import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { infer, ints, nestedOf, nodeOf, run, tensor } from "../../../test/support/run-operator.js";
import type { Dim } from "../../graph/index.js";
import { sizeOf, Tensor } from "../../tensor/index.js";

const f32 = (nested: unknown): Tensor => tensor("float32", nested);
const counting = (...shape: number[]): Tensor =>
  Tensor.from(
    "float32",
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => i),
  );
const first = (outputs: readonly Tensor[]): unknown => nestedOf(outputs[0]!);

describe("Reshape", () => {
  const shapeFor = (x: readonly Dim[] | null, target: Tensor, allowzero = 0): readonly Dim[] | null =>
    infer(nodeOf("Reshape", 2, { allowzero }), [
      { type: { dtype: "float32", shape: x } },
      { type: target, value: target },
    ])[0]!.shape;

  it("cancels names to find what -1 stands for", () => {
    expect(shapeFor(["N", 3, 4], ints(0, -1))).toEqual(["N", 12]);
    expect(shapeFor(["N", 3, 4], ints(-1, 12))).toEqual(["N"].concat([12 as never]));
    expect(shapeFor(["N", "L", 8], ints(0, 0, 2, -1))).toEqual(["N", "L", 2, 4]);
    expect(shapeFor(["N", "L", 8], ints(-1, 8))).toEqual(["(N*L)", 8]);
    expect(shapeFor(null, ints(2, 3))).toEqual([2, 3]);
  });
  it("takes 0 for 0 with allowzero, from opset 14", () => {
    expect(shapeFor([0, 3], ints(3, 0), 1)).toEqual([3, 0]);
    expect(() => shapeFor([0, 3], ints(-1, 0), 1)).toThrow(/-1 beside a 0/);
    expect(run("Reshape", [counting(2, 3), ints(0, -1)], { allowzero: 1 }, { version: 13 })[0]!.shape).toEqual([2, 3]);
  });
  it("refuses sizes that differ and a second -1", () => {
    expect(() => shapeFor([2, 3], ints(4, 2))).toThrow(/6 elements/);
    expect(() => shapeFor([2, 3], ints(-1, -1))).toThrow(/more than one -1/);
    expect(() => shapeFor([2, 3], ints(4, -1))).toThrow(/no multiple/);
  });
});

describe("axes as attributes and as inputs", () => {
  it("Squeeze and Unsqueeze", () => {
    expect(run("Squeeze", [counting(1, 2, 1)], { axes: [-1] }, { version: 11 })[0]!.shape).toEqual([1, 2]);
    expect(run("Squeeze", [counting(1, 2, 1), ints(0)], {}, { version: 13 })[0]!.shape).toEqual([2, 1]);
    expect(run("Squeeze", [counting(1, 2, 1)])[0]!.shape).toEqual([2]);
    expect(run("Unsqueeze", [counting(2)], { axes: [0, -1] }, { version: 11 })[0]!.shape).toEqual([1, 2, 1]);
    expect(run("Unsqueeze", [counting(2), ints(2, 0)])[0]!.shape).toEqual([1, 2, 1]);
    expect(() => run("Squeeze", [counting(2), ints(0)])).toThrow(/not 1/);
  });
  it("Slice before and after opset 10", () => {
    const x = counting(5);
    expect(first(run("Slice", [x], { starts: [1], ends: [-1] }, { version: 9 }))).toEqual([1, 2, 3]);
    expect(first(run("Slice", [x, ints(-1), ints(-1000), ints(0), ints(-2)]))).toEqual([4, 2, 0]);
  });
  it("Split by attribute, input and number of outputs", () => {
    const x = counting(5);
    const parts = (outputs: readonly Tensor[]): unknown[] => outputs.map(nestedOf);
    expect(parts(run("Split", [x], { split: [2, 3] }, { version: 11, outputs: 2 }))).toEqual([
      [0, 1],
      [2, 3, 4],
    ]);
    expect(parts(run("Split", [x, ints(1, 4)], {}, { version: 13, outputs: 2 }))).toEqual([[0], [1, 2, 3, 4]]);
    const uneven = run("Split", [x], { num_outputs: 2 }, { version: 18, outputs: 2 });
    expect(parts(uneven)).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
    expect(() => run("Split", [x], {}, { version: 13, outputs: 2 })).toThrow(/equal parts/);
  });
});

describe("Slice", () => {
  it("walks from the start, clamped into the axis, to the end for every start, end and step", () => {
    const bound = fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom(2 ** 63, -(2 ** 63)));
    fc.assert(
      fc.property(fc.nat({ max: 6 }), bound, bound, fc.integer({ min: -3, max: 3 }), (dim, start, end, step) => {
        fc.pre(step !== 0);
        const from = start < 0 ? start + dim : start;
        const to = end < 0 ? end + dim : end;
        const wanted: number[] = [];
        const begin = step > 0 ? Math.max(from, 0) : Math.min(Math.max(from, 0), dim - 1);
        for (let i = begin; step > 0 ? i < Math.min(to, dim) : i > Math.max(to, -1); i += step) wanted.push(i);
        const bounds = [start, end].map((v) => Tensor.from("float64", [1], [v]));
        const y = run("Slice", [counting(dim), bounds[0]!, bounds[1]!, ints(0), ints(step)])[0]!;
        expect(Array.from(y.numbers())).toEqual(wanted);
      }),
    );
  });
  it("keeps the dimensions of axes that it does not cut", () => {
    const list = { type: { dtype: "int64", shape: [1] } } as const;
    const axes = { ...list, value: ints(1) };
    const [type] = infer(nodeOf("Slice", 4), [{ type: { dtype: "float32", shape: ["N", 8, 4] } }, list, list, axes]);
    expect(type!.shape).toEqual(["N", expect.stringMatching(/^\?/), 4]);
  });
});

describe("Pad", () => {
  const padded = (mode: string, pads: readonly number[], x = f32([1, 2, 3])): unknown =>
    first(run("Pad", [x, ints(...pads)], { mode }));

  it("continues the axis as its mode says", () => {
    expect(padded("constant", [1, 2])).toEqual([0, 1, 2, 3, 0, 0]);
    expect(padded("edge", [1, 2])).toEqual([1, 1, 2, 3, 3, 3]);
    expect(padded("reflect", [2, 3])).toEqual([3, 2, 1, 2, 3, 2, 1, 2]);
    expect(padded("wrap", [2, 4])).toEqual([2, 3, 1, 2, 3, 1, 2, 3, 1]);
  });
  it("crops where a pad is negative, before it pads the other end", () => {
    expect(padded("constant", [-1, 1])).toEqual([2, 3, 0]);
    expect(padded("reflect", [-1, 1])).toEqual([2, 3, 2]);
    expect(padded("wrap", [1, -1])).toEqual([2, 1, 2]);
  });
  it("takes a value and axes as inputs, or a value as attribute before opset 11", () => {
    const x = f32([[1, 2]]);
    expect(first(run("Pad", [x, ints(1, 0), f32(9), ints(-1)]))).toEqual([[9, 1, 2]]);
    const old = run("Pad", [x], { pads: [0, 1, 0, 0], value: 2.5 }, { version: 2 });
    expect(first(old)).toEqual([[2.5, 1, 2]]);
  });
  it("refuses a value of another dtype", () => {
    expect(() => run("Pad", [ints(1), ints(1, 0), f32(9)])).toThrow(/float32 does not pad int64/);
  });
  it("knows wrap from opset 19", () => {
    expect(() => run("Pad", [f32([1]), ints(1, 1)], { mode: "wrap" }, { version: 18 })).toThrow(/wrap/);
  });
});

describe("Concat", () => {
  it("refuses tensors that differ off the axis, in dtype or in rank", () => {
    expect(() => run("Concat", [counting(2, 3), counting(2, 4)], { axis: 0 })).toThrow(/does not continue/);
    expect(() => run("Concat", [counting(2), ints(1, 2)], { axis: 0 })).toThrow(/does not continue/);
    expect(() => run("Concat", [counting(2), counting(2, 1)], { axis: 0 })).toThrow(/does not continue/);
  });
});

describe("gathering and scattering", () => {
  it("GatherND with batch dimensions", () => {
    const x = tensor("int32", [
      [
        [0, 1],
        [2, 3],
      ],
      [
        [4, 5],
        [6, 7],
      ],
    ]);
    expect(first(run("GatherND", [x, tensor("int64", [[1], [0]])], { batch_dims: 1 }))).toEqual([
      [2, 3],
      [4, 5],
    ]);
    expect(
      first(
        run("GatherND", [
          x,
          tensor("int64", [
            [0, 1],
            [-1, 0],
          ]),
        ]),
      ),
    ).toEqual([
      [2, 3],
      [4, 5],
    ]);
  });
  it("refuses indices outside", () => {
    expect(() => run("Gather", [counting(3), ints(3)])).toThrow(/outside/);
    expect(() => run("GatherElements", [counting(3), ints(-4)])).toThrow(/outside/);
    expect(() => run("GatherND", [counting(3), tensor("int64", [[5]])])).toThrow(/outside/);
  });
  it("ScatterElements reduces repeated indices in order", () => {
    const x = tensor("int64", [10, 20, 30]);
    const scattered = (reduction: string): unknown =>
      first(run("ScatterElements", [x, ints(1, 1), tensor("int64", [2, 3])], { reduction }));
    expect(scattered("none")).toEqual([10, 3, 30]);
    expect(scattered("add")).toEqual([10, 25, 30]);
    expect(scattered("mul")).toEqual([10, 120, 30]);
    expect(scattered("min")).toEqual([10, 2, 30]);
    expect(scattered("max")).toEqual([10, 20, 30]);
  });
  it("ScatterND writes slices and leaves its input alone", () => {
    const x = counting(3, 2);
    const y = run(
      "ScatterND",
      [
        x,
        tensor("int64", [[2], [0]]),
        f32([
          [7, 8],
          [1, 1],
        ]),
      ],
      { reduction: "add" },
    );
    expect(first(y)).toEqual([
      [1, 2],
      [2, 3],
      [11, 13],
    ]);
    expect(x.numbers()).toEqual(counting(3, 2).numbers());
  });
  it("reductions are refused where they are not defined", () => {
    expect(() =>
      run("ScatterND", [counting(2), tensor("int64", [[0]]), f32([1])], { reduction: "max" }, { version: 16 }),
    ).toThrow(/max/);
    const words = tensor("string", ["a", "b"]);
    expect(() => run("ScatterElements", [words, ints(0), tensor("string", ["c"])], { reduction: "add" })).toThrow(
      /strings/,
    );
    expect(first(run("ScatterElements", [words, ints(0), tensor("string", ["c"])]))).toEqual(["c", "b"]);
  });
});

describe("making and rearranging", () => {
  it("Range counts exactly, in int64 too", () => {
    expect(first(run("Range", [f32(1), f32(2), f32(0.25)]))).toEqual([1, 1.25, 1.5, 1.75]);
    const big = new Tensor("int64", [], BigInt64Array.of(2n ** 60n + 1n));
    const end = new Tensor("int64", [], BigInt64Array.of(2n ** 60n + 2048n));
    expect(run("Range", [big, end, tensor("int64", 1024)])[0]!.data).toEqual(
      BigInt64Array.of(2n ** 60n + 1n, 2n ** 60n + 1025n),
    );
    expect(() => run("Range", [f32(0), f32(1), f32(0)])).toThrow(/step/);
  });
  it("Shape slices the dimensions from opset 15", () => {
    expect(first(run("Shape", [counting(2, 3, 4)], { start: -2, end: -1 }))).toEqual([3]);
    expect(first(run("Shape", [counting(2, 3, 4)], { start: 2 }, { version: 13 }))).toEqual([2, 3, 4]);
  });
  it("OneHot ignores indices outside, on any axis", () => {
    const values = tensor("int8", [-1, 5]);
    const y = run("OneHot", [tensor("int64", [0, -1, 3]), tensor("int64", [3]), values], { axis: 0 });
    expect(first(y)).toEqual([
      [5, -1, -1],
      [-1, -1, -1],
      [-1, 5, -1],
    ]);
  });
  it("Unique in order of appearance, with its three lists", () => {
    const y = run("Unique", [f32([2, 1, 1, 3, 4, 3])], { sorted: 0 }, { outputs: 4 });
    expect(y.map(nestedOf)).toEqual([
      [2, 1, 3, 4],
      [0, 1, 3, 4],
      [0, 1, 1, 2, 3, 2],
      [1, 2, 2, 1],
    ]);
    const words = run("Unique", [tensor("string", ["b", "a", "b"])], {}, { outputs: 4 });
    expect(nestedOf(words[0]!)).toEqual(["a", "b"]);
  });
  it("NonZero of a matrix and of a scalar", () => {
    expect(
      first(
        run("NonZero", [
          f32([
            [1, 0],
            [1, 1],
          ]),
        ]),
      ),
    ).toEqual([
      [0, 1, 1],
      [0, 0, 1],
    ]);
    expect(run("NonZero", [f32(3)])[0]!.shape).toEqual([0, 1]);
  });
  it("DepthToSpace undoes SpaceToDepth; CRD differs from DCR", () => {
    const x = counting(1, 2, 4, 6);
    const deep = run("SpaceToDepth", [x], { blocksize: 2 })[0]!;
    expect(deep.shape).toEqual([1, 8, 2, 3]);
    expect(run("DepthToSpace", [deep], { blocksize: 2 })[0]!.data).toEqual(x.data);
    const crd = run("DepthToSpace", [counting(1, 8, 1, 1)], { blocksize: 2, mode: "CRD" });
    expect(first(crd)).toEqual([
      [
        [
          [0, 1],
          [2, 3],
        ],
        [
          [4, 5],
          [6, 7],
        ],
      ],
    ]);
  });
  it("ReverseSequence along either axis", () => {
    const x = counting(2, 3);
    const reversed = run("ReverseSequence", [x, ints(2, 3)], { time_axis: 1, batch_axis: 0 });
    expect(first(reversed)).toEqual([
      [1, 0, 2],
      [5, 4, 3],
    ]);
    expect(first(run("ReverseSequence", [x, ints(1, 2, 2)]))).toEqual([
      [0, 4, 5],
      [3, 1, 2],
    ]);
  });
  it("CenterCropPad centres as the specification rounds", () => {
    expect(first(run("CenterCropPad", [counting(5), ints(2)]))).toEqual([1, 2]);
    expect(first(run("CenterCropPad", [counting(2), ints(5)]))).toEqual([0, 0, 1, 0, 0]);
    expect(run("CenterCropPad", [counting(4, 3, 2), ints(2, 4)], { axes: [-1, 0] })[0]!.shape).toEqual([4, 3, 2]);
  });
  it("Expand keeps what the target leaves at 1", () => {
    expect(run("Expand", [counting(3, 1), ints(2, 1, 6)])[0]!.shape).toEqual([2, 3, 6]);
    expect(run("Expand", [counting(3, 4), ints(1)])[0]!.shape).toEqual([3, 4]);
  });
  it("refuses shapes that no memory holds before it allocates", () => {
    const huge = ints(2 ** 40, 2 ** 20);
    expect(() => run("ConstantOfShape", [huge])).toThrow(/too large/);
    expect(() => run("Expand", [counting(1), huge])).toThrow(/too large/);
    expect(() => run("Tile", [counting(2), ints(2 ** 40)])).toThrow(/too large/);
    expect(() => run("ConstantOfShape", [ints(-1)])).toThrow(/not a shape/);
  });
});

describe("Col2Im", () => {
  it("is the adjoint of cutting an image into columns", () => {
    const attributes = { strides: [2, 1], pads: [1, 0, 0, 1], dilations: [1, 2] };
    const [height, width] = [5, 6];
    const block = [2, 3];
    const windows = [Math.floor((5 + 1 - 1 - 1) / 2) + 1, 6 + 1 - 4];
    const columns = windows[0]! * windows[1]!;
    const y = counting(2, 6, columns);
    const folded = run("Col2Im", [y, ints(height, width), ints(...block)], attributes)[0]!.numbers();
    // Every image pixel is the sum of y over the places where cutting the image would read it.
    const wanted = new Float64Array(2 * height * width);
    const values = y.numbers();
    for (let n = 0; n < 2; n++)
      for (let b = 0; b < 6; b++)
        for (let l = 0; l < columns; l++) {
          const row = Math.floor(l / windows[1]!) * 2 + Math.floor(b / 3) - 1;
          const col = (l % windows[1]!) + (b % 3) * 2;
          if (row >= 0 && row < height && col < width)
            wanted[(n * height + row) * width + col]! += values[(n * 6 + b) * columns + l]!;
        }
    expect(Array.from(folded)).toEqual(Array.from(wanted));
  });
});
