import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nestedOf, run, tensor } from "../../../test/support/run-operator.js";
import { type DataType, sizeOf, Tensor } from "../../tensor/index.js";

const f32 = (nested: unknown): Tensor => tensor("float32", nested);
const first = (outputs: readonly Tensor[]): unknown => nestedOf(outputs[0]!);

describe("QuantizeLinear", () => {
  it("rounds halves to even and saturates in every dtype", () => {
    const x = f32([-1e9, -2.5, -0.5, 0.5, 1.5, 2.5, 1e9]);
    const to = (dtype: DataType): unknown => first(run("QuantizeLinear", [x, f32(1), Tensor.scalar(dtype, 1)]));
    expect(to("int8")).toEqual([-128, -1, 1, 1, 3, 3, 127]);
    expect(to("uint8")).toEqual([0, 0, 1, 1, 3, 3, 255]);
    expect(to("int16")).toEqual([-32768, -1, 1, 1, 3, 3, 32767]);
    expect(to("uint16")).toEqual([0, 0, 1, 1, 3, 3, 65535]);
    expect(to("int4")).toEqual([-8, -1, 1, 1, 3, 3, 7]);
    expect(to("uint4")).toEqual([0, 0, 1, 1, 3, 3, 15]);
  });
  it("takes its dtype from the zero point, output_dtype or neither", () => {
    expect(run("QuantizeLinear", [f32([3]), f32(1)])[0]!.dtype).toBe("uint8");
    expect(run("QuantizeLinear", [f32([3]), f32(1)], { output_dtype: 22 })[0]!.dtype).toBe("int4");
    const zero = Tensor.scalar("int8", 0);
    expect(() => run("QuantizeLinear", [f32([3]), f32(1), zero], { output_dtype: 2 })).toThrow(/int8, not uint8/);
  });
  it("refuses zero points that are not one per scale", () => {
    expect(() => run("QuantizeLinear", [f32([1]), f32(1), tensor("uint8", [1, 2])])).toThrow(/beside scales/);
  });
  it("divides in the scale's precision", () => {
    // Between 2048 and 4096 float16 has the even numbers only.
    const x = f32([2048.9]);
    expect(first(run("QuantizeLinear", [x, tensor("float16", 1), Tensor.scalar("uint16", 0)]))).toEqual([2048]);
    expect(first(run("QuantizeLinear", [x, f32(1), Tensor.scalar("uint16", 0)]))).toEqual([2049]);
    const precise = run(
      "QuantizeLinear",
      [x, tensor("float16", 1), Tensor.scalar("uint16", 0)],
      { precision: 1 },
      { version: 23 },
    );
    expect(first(precise)).toEqual([2049]);
  });
  it("has a scale per entry of the axis, or per block", () => {
    const x = f32([
      [2, 4, 6],
      [8, 10, 12],
    ]);
    const perAxis = run("QuantizeLinear", [x, f32([1, 2]), tensor("uint8", [0, 1])], { axis: 0 });
    expect(first(perAxis)).toEqual([
      [2, 4, 6],
      [5, 6, 7],
    ]);
    const scale = f32([
      [1, 2],
      [4, 3],
    ]);
    const blocked = run(
      "QuantizeLinear",
      [
        x,
        scale,
        tensor("int8", [
          [0, 0],
          [1, 0],
        ]),
      ],
      { axis: 1, block_size: 2 },
    );
    expect(first(blocked)).toEqual([
      [2, 4, 3],
      [3, 3, 4],
    ]);
    expect(() => run("QuantizeLinear", [x, f32([1, 2])], { axis: 1 })).toThrow(/does not fit/);
    expect(() => run("QuantizeLinear", [x, f32([[1], [1]])], { axis: 1, block_size: 2 })).toThrow(/does not fit/);
  });
});

describe("DequantizeLinear", () => {
  it("undoes QuantizeLinear to half a step, whatever the granularity", () => {
    const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 });
    const random = fc.infiniteStream(fc.float({ min: -4, max: 4, noNaN: true }));
    fc.assert(
      fc.property(shape, fc.nat(), fc.nat({ max: 3 }), random, (dims, a, block, values) => {
        const axis = a % dims.length;
        const scaleShape = block === 0 ? [dims[axis]!] : dims.with(axis, Math.ceil(dims[axis]! / block));
        const make = (of: readonly number[], f: (v: number) => number): Tensor =>
          Tensor.from(
            "float32",
            of,
            Array.from({ length: sizeOf(of) }, () => f(values.next().value as number)),
          );
        const x = make(dims, (v) => v);
        const scale = make(scaleShape, (v) => 0.1 + Math.abs(v) / 40);
        const zero = make(scaleShape, Math.round).to("int8");
        const attributes = { axis, block_size: block };
        const levels = run("QuantizeLinear", [x, scale, zero], attributes)[0]!;
        const back = run("DequantizeLinear", [levels, scale, zero], attributes)[0]!.numbers();
        const widest = Math.max(...(scale.numbers() as Float32Array));
        // Half a step, and float32's rounding of the quotient (up to 44 steps) and of the product (up to 4.2).
        const slack = widest * (0.5 + 64 * 2 ** -24) + 8 * 2 ** -24;
        x.numbers().forEach((v: number, i: number) => {
          expect(Math.abs(v - back[i]!)).toBeLessThanOrEqual(slack);
        });
      }),
      { numRuns: 60 },
    );
  });
  it("of int32 and of int4, and to another dtype from opset 23", () => {
    expect(first(run("DequantizeLinear", [tensor("int32", [-3, 100000]), f32(0.5)]))).toEqual([-1.5, 50000]);
    expect(first(run("DequantizeLinear", [tensor("int4", [-8, 7, 3]), f32(2), Tensor.scalar("int4", -1)]))).toEqual([
      -14, 16, 8,
    ]);
    const half = run("DequantizeLinear", [tensor("uint8", [3]), f32(2)], { output_dtype: 10 }, { version: 23 });
    expect(half[0]!.dtype).toBe("float16");
  });
});

describe("DynamicQuantizeLinear", () => {
  it("makes the range hold 0", () => {
    const [levels, scale, zero] = run("DynamicQuantizeLinear", [f32([1, 2, 5.1])], {}, { outputs: 3 });
    expect([nestedOf(levels!), zero!.item()]).toEqual([[50, 100, 255], 0]);
    expect(scale!.item()).toBe(Math.fround(Math.fround(5.1) / 255));
    expect(nestedOf(run("DynamicQuantizeLinear", [f32([0, 0])], {}, { outputs: 3 })[0]!)).toEqual([0, 0]);
  });
});

describe("integer products", () => {
  const a = tensor("uint8", [
    [11, 7, 3],
    [10, 6, 2],
  ]);
  const b = tensor("int8", [
    [1, 4],
    [2, 5],
    [3, 6],
  ]);
  const product = (left: number[][], right: number[][]): number[][] =>
    left.map((row) => right[0]!.map((_, j) => row.reduce((sum, v, k) => sum + v * right[k]![j]!, 0)));
  const less = (matrix: unknown, zero: (i: number, j: number) => number): number[][] =>
    (matrix as number[][]).map((row, i) => row.map((v, j) => v - zero(i, j)));

  it("MatMulInteger with zero points per tensor, row and column", () => {
    const [an, bn] = [nestedOf(a), nestedOf(b)];
    expect(first(run("MatMulInteger", [a, b]))).toEqual(product(an as number[][], bn as number[][]));
    const zeros = [Tensor.scalar("uint8", 12), Tensor.scalar("int8", -3)];
    expect(first(run("MatMulInteger", [a, b, ...zeros]))).toEqual(
      product(
        less(an, () => 12),
        less(bn, () => -3),
      ),
    );
    const rows = run("MatMulInteger", [a, b, tensor("uint8", [5, 9]), tensor("int8", [1, -1])]);
    expect(first(rows)).toEqual(
      product(
        less(an, (i) => [5, 9][i]!),
        less(bn, (_, j) => [1, -1][j]!),
      ),
    );
  });
  it("QLinearMatMul agrees with the product of dequantized matrices to one level", () => {
    const scale = { a: f32([0.02, 0.05]), b: f32([0.5, 0.25]), y: f32(0.01) };
    const zero = { a: tensor("uint8", [5, 9]), b: tensor("int8", [1, -1]), y: Tensor.scalar("int8", -20) };
    const y = run("QLinearMatMul", [a, scale.a, zero.a, b, scale.b, zero.b, scale.y, zero.y])[0]!;
    const left = run("DequantizeLinear", [a, scale.a, zero.a], { axis: 0 })[0]!;
    const right = run("DequantizeLinear", [b, scale.b, zero.b], { axis: 1 })[0]!;
    const exact = run("MatMul", [left, right])[0]!;
    const wanted = run("QuantizeLinear", [exact, scale.y, zero.y])[0]!.numbers();
    expect(y.dtype).toBe("int8");
    y.numbers().forEach((v: number, i: number) => {
      expect(Math.abs(v - wanted[i]!)).toBeLessThanOrEqual(1);
    });
  });
  it("ConvInteger and QLinearConv pad with the zero point and take one per output channel", () => {
    const x = Tensor.from(
      "uint8",
      [1, 2, 3, 3],
      Array.from({ length: 18 }, (_, i) => i * 3),
    );
    const w = Tensor.from(
      "uint8",
      [2, 2, 2, 2],
      Array.from({ length: 16 }, (_, i) => (i * 7) % 11),
    );
    const [xZero, wZero] = [Tensor.scalar("uint8", 9), tensor("uint8", [2, 5])];
    const attributes = { pads: [1, 0, 0, 1] };
    const sums = run("ConvInteger", [x, w, xZero, wZero], attributes)[0]!;
    const centred = Tensor.from(
      "float32",
      x.shape,
      Array.from(x.numbers(), (v) => v - 9),
    );
    const kernel = Tensor.from(
      "float32",
      w.shape,
      Array.from(w.numbers(), (v, i) => v - (i < 8 ? 2 : 5)),
    );
    const exact = run("Conv", [centred, kernel], attributes)[0]!;
    expect(Array.from(sums.numbers())).toEqual(Array.from(exact.numbers()));
    const [wScale, yZero] = [f32([0.5, 0.25]), Tensor.scalar("uint8", 100)];
    const bias = tensor("int32", [8, -8]);
    const y = run("QLinearConv", [x, f32(1), xZero, w, wScale, wZero, f32(2), yZero, bias], attributes)[0]!;
    const wanted = Array.from(exact.numbers(), (sum, i) => {
      const scaled = i < 9 ? (sum + 8) * 0.25 : (sum - 8) * 0.125; // exact in float32
      const even = 2 * Math.round(scaled / 2);
      const rounded = Math.abs(scaled % 1) === 0.5 ? even : Math.round(scaled);
      return Math.min(255, Math.max(0, rounded + 100));
    });
    expect(Array.from(y.numbers())).toEqual(wanted);
  });
});
