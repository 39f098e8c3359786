import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { broadcastShapes, broadcastStrides, forEachIndex, sizeOf, Tensor } from "../tensor/index.js";
import {
  type BinaryOperation,
  broadcastValues,
  combineElements,
  compareElements,
  mapElements,
  mapNumbers,
  offsetsOf,
  tensorOf,
} from "./elementwise.js";
import { reducedShape, reductionOf, splitAtAxis } from "./reduction.js";

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

const axesOf = (shape: readonly number[]) => fc.subarray(shape.map((_, axis) => axis));

const iota = (n: number): Float64Array => Float64Array.from({ length: n }, (_, i) => i);

test("offsetsOf lists what forEachIndex visits", () => {
  fc.assert(
    fc.property(
      shapes.chain((shape) => fc.tuple(fc.constant(shape), fc.array(fc.nat(9), { minLength: 4, maxLength: 4 }))),
      ([shape, strides]) => {
        const visited: number[] = [];
        forEachIndex(shape, [strides], ([offset]) => visited.push(offset! + 5));
        expect(Array.from(offsetsOf(shape, strides, 5))).toEqual(visited);
      },
    ),
  );
});

test("broadcastValues reads through broadcast strides", () => {
  const pairs = shapes.chain((target) =>
    fc.tuple(fc.constant(target), axesOf(target), fc.nat({ max: target.length })).map(([full, ones, drop]) => ({
      full,
      shape: full.map((dim, axis) => (ones.includes(axis) ? 1 : dim)).slice(drop),
    })),
  );
  fc.assert(
    fc.property(pairs, ({ full, shape }) => {
      const values = iota(sizeOf(shape));
      const expected: number[] = [];
      forEachIndex(full, [broadcastStrides(shape, full)], ([offset]) => expected.push(values[offset!]!));
      expect(Array.from(broadcastValues(values, shape, full))).toEqual(expected);
    }),
  );
});

describe("combineElements", () => {
  const add: BinaryOperation = { number: (a, b) => a + b, bigint: (a, b) => a + b };

  test("wraps integers of every width", () => {
    const sumOf = (dtype: "int8" | "uint8" | "int16" | "int32" | "uint32", a: number, b: number): number =>
      combineElements(Tensor.scalar(dtype, a), Tensor.scalar(dtype, b), add).item();
    expect(sumOf("int8", 127, 1)).toBe(-128);
    expect(sumOf("uint8", 255, 2)).toBe(1);
    expect(sumOf("int16", -32768, -1)).toBe(32767);
    expect(sumOf("int32", 2147483647, 1)).toBe(-2147483648);
    expect(sumOf("uint32", 4294967295, 1)).toBe(0);
  });

  test("is exact and wraps for int64 and uint64", () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (a, b) => {
        const [x, y] = [a, b].map((v) => new Tensor("int64", [], BigInt64Array.of(v))) as [Tensor, Tensor];
        expect(combineElements(x, y, add).bigints()[0]).toBe(BigInt.asIntN(64, a + b));
        const [u, v] = [a, b].map((w) => new Tensor("uint64", [], BigUint64Array.of(BigInt.asUintN(64, w))));
        expect(combineElements(u!, v!, add).bigints()[0]).toBe(BigInt.asUintN(64, a + b));
      }),
    );
  });

  test("rounds floats once", () => {
    const third = mapNumbers(Tensor.scalar("float16", 3), (x) => 1 / x);
    expect(third.item()).toBe(0.333251953125); // the float16 nearest to 1/3
    expect(mapNumbers(Tensor.scalar("bfloat16", 3), (x) => 1 / x).item()).toBe(0.333984375);
  });

  test("broadcasts both ways", () => {
    const a = Tensor.from("float32", [2, 1], [1, 2]);
    const b = Tensor.from("float32", [3], [10, 20, 30]);
    const sum = combineElements(a, b, add);
    expect(sum.shape).toEqual(broadcastShapes(a.shape, b.shape));
    expect(Array.from(sum.numbers())).toEqual([11, 21, 31, 12, 22, 32]);
  });
});

test("mapElements keeps what a double can't", () => {
  const x = new Tensor("int64", [1], BigInt64Array.of(2n ** 62n + 1n));
  expect(mapElements(x, { number: (v) => -v, bigint: (v) => -v }).bigints()[0]).toBe(-(2n ** 62n) - 1n);
});

test("compareElements compares strings and BigInts as themselves", () => {
  const words = new Tensor("string", [2], ["a", "b"]);
  expect(Array.from(compareElements(words, new Tensor("string", [], ["b"]), (a, b) => a === b).numbers())).toEqual([
    0, 1,
  ]);
  const big = new Tensor("int64", [2], BigInt64Array.of(2n ** 60n, 2n ** 60n + 1n));
  expect(Array.from(compareElements(big, big.reshape([2, 1]), (a, b) => a < b).numbers())).toEqual([0, 0, 1, 0]);
});

test("tensorOf wraps BigInts to any integer dtype", () => {
  expect(Array.from(tensorOf("uint8", [2], [257n, -1n]).numbers())).toEqual([1, 255]);
  expect(Array.from(tensorOf("int32", [1], [2n ** 31n]).numbers())).toEqual([-(2 ** 31)]);
  expect(Array.from(tensorOf("uint32", [1], [2n ** 31n]).numbers())).toEqual([2 ** 31]);
  expect(Array.from(tensorOf("int4", [2], [8n, 7n]).numbers())).toEqual([-8, 7]);
});

describe("reductions", () => {
  const reduced = shapes.chain((shape) => fc.tuple(fc.constant(shape), axesOf(shape)));

  test("each element is read once, by the result that its other coordinates name", () => {
    fc.assert(
      fc.property(reduced, ([shape, axes]) => {
        const { starts, steps } = reductionOf(shape, axes);
        expect(starts.length).toBe(sizeOf(reducedShape(shape, axes, true)));
        const owner = new Map<number, number>();
        starts.forEach((start, i) => steps.forEach((step) => owner.set(start + step, i)));
        expect(owner.size).toBe(sizeOf(shape));
        const kept = reducedShape(shape, axes, true);
        forEachIndex(shape, [broadcastStrides(kept, shape)], ([result], flat) => expect(owner.get(flat)).toBe(result));
      }),
    );
  });

  test("reducedShape keeps or drops the axes", () => {
    expect(reducedShape(["n", 3, 4], [0, 2], true)).toEqual([1, 3, 1]);
    expect(reducedShape(["n", 3, 4], [0, 2], false)).toEqual([3]);
  });

  test("splitAtAxis", () => {
    expect(splitAtAxis([2, 3, 4, 5], 2)).toEqual({ outer: 6, dim: 4, inner: 5 });
    expect(splitAtAxis([2, 3], 2)).toEqual({ outer: 6, dim: 1, inner: 1 });
  });
});
