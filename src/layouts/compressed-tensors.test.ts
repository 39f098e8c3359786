import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { fromBitmask, toSparse24Bitmask, toSparseBitmask } from "./compressed-tensors.js";

const GOLDEN = "../shared/data/golden-pytorch/golden-pytorch.json";
const nested = (rows: number[][]): Tensor => Tensor.from("float32", [rows.length, rows[0]!.length], rows.flat());

describe.skipIf(!existsSync(GOLDEN))(`against compressed-tensors (${GOLDEN})`, () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, "utf8")) : {};
  const bytes = (rows: number[][]): Tensor => Tensor.from("uint8", [rows.length, rows[0]!.length], rows.flat());

  it("makes and reads the same sparse-bitmask", () => {
    const { input, compressed, bitmask, row_offsets, shape } = golden.sparse_bitmask;
    const made = toSparseBitmask(nested(input));
    expect([...made.compressed.numbers()]).toEqual(compressed);
    expect(made.bitmask).toEqual(bytes(bitmask));
    expect([...made.row_offsets.numbers()]).toEqual(row_offsets);
    expect([...made.shape.numbers()]).toEqual(shape);
    expect(fromBitmask(made)).toEqual(nested(input));
  });

  it("reads its sparse-24-bitmask, and makes the same of groups with two nonzeros", () => {
    const { input, mask, compressed, bitmask, shape } = golden.sparse_24_bitmask;
    const pruned = nested(input.map((row: number[], i: number) => row.map((x, j) => (mask[i][j] ? x : 0))));
    const theirs = {
      shape: Tensor.from("int64", [2, 1], shape.flat()),
      compressed: nested(compressed),
      bitmask: bytes(bitmask),
    };
    expect(fromBitmask(theirs)).toEqual(pruned);
    const made = toSparse24Bitmask(pruned);
    expect(made.shape).toEqual(theirs.shape);
    expect(fromBitmask(made)).toEqual(pruned);
    // the first eight columns of row 0 have no choice
    expect(made.bitmask.data[0]).toBe(bitmask[0][0]);
    expect([...made.compressed.numbers()].slice(0, 4)).toEqual(compressed[0].slice(0, 4));
  });
});

const tensors = fc
  .tuple(
    fc.nat(6),
    fc.nat(20),
    fc.constantFrom("float32" as const, "float16" as const, "bfloat16" as const, "int8" as const),
  )
  .chain(([rows, cols, dtype]) =>
    fc
      .array(fc.constantFrom(0, 0, 1, -3, 5), { minLength: rows * cols, maxLength: rows * cols })
      .map((data) => Tensor.from(dtype, [rows, cols], data)),
  );

describe("sparse-bitmask", () => {
  it("gives back what it encodes, in the dtype of the tensor", () => {
    fc.assert(
      fc.property(tensors, (tensor) => {
        expect(fromBitmask(toSparseBitmask(tensor))).toEqual(tensor);
      }),
    );
  });

  it("keeps NaN and drops -0", () => {
    const tensor = Tensor.from("float32", [1, 3], [Number.NaN, -0, 2]);
    expect([...toSparseBitmask(tensor).compressed.numbers()]).toEqual([Number.NaN, 2]);
  });
});

describe("sparse-24-bitmask", () => {
  it("stores two values of every four, also where there are fewer", () => {
    const tensor = Tensor.from("float16", [2, 8], [0, 0, 0, 0, 0, 9, 0, 0, 1, 0, 0, 2, 0, 3, 0, 4]);
    const made = toSparse24Bitmask(tensor);
    expect(made.compressed.shape).toEqual([2, 4]);
    expect(fromBitmask(made)).toEqual(tensor);
  });

  it("refuses what is not 2:4", () => {
    expect(() => toSparse24Bitmask(Tensor.from("float32", [1, 4], [1, 1, 1, 0]))).toThrow(/row 0, column 0/);
    expect(() => toSparse24Bitmask(Tensor.zeros("float32", [1, 6]))).toThrow(NonzeroError);
    expect(() => toSparse24Bitmask(Tensor.zeros("float32", [4]))).toThrow(/Only 2D tensors/);
  });
});

describe("fromBitmask", () => {
  const made = toSparseBitmask(Tensor.from("float32", [2, 3], [1, 0, 2, 0, 0, 3]));
  it.each([
    ["shape", { shape: Tensor.from("int64", [2], [-2, 3]) }],
    ["shape", { shape: Tensor.from("int64", [1], [6]) }],
    ["bitmask", { shape: Tensor.from("int64", [2], [2 ** 40, 3]) }],
    ["bitmask", { bitmask: Tensor.zeros("uint8", [2, 2]) }],
    ["bitmask", { bitmask: Tensor.from("uint8", [2, 1], [5, 12]) }],
    ["compressed", { bitmask: Tensor.from("uint8", [2, 1], [5, 5]) }],
    ["compressed", { compressed: Tensor.zeros("float32", [2]) }],
    ["compressed", { compressed: Tensor.zeros("int4", [3]) }],
  ])("refuses a wrong %s", (field, change) => {
    let error: unknown;
    try {
      fromBitmask({ ...made, ...change });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code: "invalid-model", place: { field } });
  });
});
