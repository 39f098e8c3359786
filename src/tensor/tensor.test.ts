import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allocate, byteLengthOf, DATA_TYPES, type DataType } from "./dtype.js";
import { NonzeroError } from "./error.js";
import { Tensor } from "./tensor.js";

const NUMERIC = DATA_TYPES.filter((dtype) => dtype !== "string") as Exclude<DataType, "string">[];
const RANGES: Partial<Record<DataType, readonly [number, number]>> = {
  int4: [-8, 7],
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 53), 2 ** 53],
  uint64: [0, 2 ** 53],
  bool: [0, 1],
  float16: [-2048, 2048],
  bfloat16: [-256, 256],
  float32: [-(2 ** 24), 2 ** 24],
  float64: [-(2 ** 53), 2 ** 53],
};

describe.each(NUMERIC)("Tensor of %s", (dtype) => {
  const [min, max] = RANGES[dtype]!;
  const values = fc.array(
    fc.maxSafeInteger().map((x) => min + (Math.abs(x) % (max - min + 1))),
    { maxLength: 33 },
  );

  it("gives back the integers in its range", () => {
    fc.assert(
      fc.property(values, (list) => {
        const tensor = Tensor.from(dtype, [list.length], list);
        expect([...tensor.numbers()]).toEqual(list);
        expect(tensor.byteLength).toBe(byteLengthOf(dtype, list.length));
        expect(tensor.bytes().byteLength).toBe(tensor.byteLength);
      }),
    );
  });

  it("reads its own bytes, at any offset", () => {
    fc.assert(
      fc.property(values, fc.nat(9), (list, offset) => {
        const tensor = Tensor.from(dtype, [list.length], list);
        const shifted = new Uint8Array(offset + tensor.byteLength);
        shifted.set(tensor.bytes(), offset);
        expect([...Tensor.fromBytes(dtype, [list.length], shifted.subarray(offset)).numbers()]).toEqual(list);
      }),
    );
  });

  it("refuses data and bytes of another length", () => {
    expect(() => new Tensor(dtype, [3, 3], allocate(dtype, 7))).toThrow(NonzeroError);
    expect(() => Tensor.fromBytes(dtype, [3, 3], new Uint8Array(byteLengthOf(dtype, 9) + 1))).toThrow(NonzeroError);
  });

  it("starts as zeros, also with no elements or no axes", () => {
    for (const shape of [[2, 3], [0], [2, 0, 3], []]) {
      const tensor = Tensor.zeros(dtype, shape);
      expect([...tensor.numbers()]).toEqual(new Array(shape.reduce((a, b) => a * b, 1)).fill(0));
    }
  });
});

describe("int4 and uint4", () => {
  it("pack two to a byte, the first in the low nibble", () => {
    expect(Tensor.from("int4", [3], [-1, 2, -8]).data).toEqual(Uint8Array.of(0x2f, 0x08));
    expect(Tensor.from("uint4", [3], [1, 15, 9]).data).toEqual(Uint8Array.of(0xf1, 0x09));
  });

  it("wrap modulo 16", () => {
    expect([...Tensor.from("int4", [4], [8, 16, -9, 23]).numbers()]).toEqual([-8, 0, 7, 7]);
    expect([...Tensor.from("uint4", [4], [16, -1, 31, -16]).numbers()]).toEqual([0, 15, 15, 0]);
  });
});

describe("Tensor.from", () => {
  it("truncates toward zero and wraps in two's complement", () => {
    expect([...Tensor.from("int8", [4], [1.9, -1.9, 128, -129]).numbers()]).toEqual([1, -1, -128, 127]);
    expect([...Tensor.from("uint8", [3], [-1, 256, 257.5]).numbers()]).toEqual([255, 0, 1]);
    expect(Tensor.from("int64", [2], [-1.5, 2 ** 63]).data).toEqual(BigInt64Array.of(-1n, -(2n ** 63n)));
    expect(Tensor.from("uint64", [2], [-1, Number.NaN]).data).toEqual(BigUint64Array.of(2n ** 64n - 1n, 0n));
  });

  it("makes bool of whether a number is not zero", () => {
    expect(Tensor.from("bool", [4], [0, -0, 0.5, Number.NaN]).data).toEqual(Uint8Array.of(0, 0, 1, 1));
  });
});

describe("Tensor.to", () => {
  it("keeps 64-bit integers exact between each other", () => {
    const big = new Tensor("int64", [2], BigInt64Array.of(2n ** 62n + 1n, -1n));
    expect(big.to("uint64").bigints()).toEqual(BigUint64Array.of(2n ** 62n + 1n, 2n ** 64n - 1n));
    expect(big.to("int64")).toBe(big);
  });

  it("goes through numbers elsewhere", () => {
    expect([...Tensor.from("float32", [2], [1.5, -2.5]).to("int32").numbers()]).toEqual([1, -2]);
    expect([...Tensor.from("bfloat16", [1], [3]).to("int64").bigints()]).toEqual([3n]);
  });
});

describe("views", () => {
  it("reshape shares the data and checks the size", () => {
    const tensor = Tensor.from("float32", [2, 3], [1, 2, 3, 4, 5, 6]);
    expect(tensor.reshape([3, 2]).data).toBe(tensor.data);
    expect(() => tensor.reshape([4])).toThrow(NonzeroError);
  });

  it("item, strings and numbers refuse what has none", () => {
    expect(Tensor.scalar("int8", 5).item()).toBe(5);
    expect(() => Tensor.zeros("int8", [2]).item()).toThrow(NonzeroError);
    expect(() => Tensor.zeros("int8", [2]).strings()).toThrow(NonzeroError);
    expect(() => Tensor.zeros("string", [2]).numbers()).toThrow(NonzeroError);
    expect(() => Tensor.zeros("string", [2]).bytes()).toThrow(NonzeroError);
  });
});
