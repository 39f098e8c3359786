import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { maskOf, parsePattern } from "../sparsity/index.js";
import { type DataType, NonzeroError, Tensor } from "../tensor/index.js";
import { bestLayout, encodedBytes, fastestLayout, layoutOf } from "./best.js";
import { toSparse, toSparseBsr, toSparseCoo, toSparseCsr, toSparseSemiStructured } from "./convert.js";
import { bytesOf } from "./layout.js";
import { parseLayout } from "./registry.js";
import { fromMatrix, SparseTensor, toMatrix } from "./sparse-tensor.js";

const DTYPES = ["float32", "float16", "bfloat16", "int8"] as const;
const LOSSY = ["semi-structured", "n:m:1:4", "n:m:2:5", "v:n:m:4:2:4", "bnm:2x2:1:2", "bsr:4x4+2:4"];
const ANY = ["coo", "csr", "bitmask", "rows", "cols", "bsr:4x4"];

const tensors = (dtype: DataType): fc.Arbitrary<Tensor> =>
  fc
    .tuple(fc.nat(9), fc.nat(13))
    .chain(([rows, cols]) =>
      fc
        .array(fc.integer({ min: -100, max: 100 }), { minLength: rows * cols, maxLength: rows * cols })
        .map((data) => Tensor.from(dtype, [rows, cols], data)),
    );

describe.each(DTYPES)("toSparse of %s", (dtype) => {
  it.each(ANY)("%s keeps every bit", (layout) => {
    fc.assert(
      fc.property(tensors(dtype), (tensor) => {
        const sparse = toSparse(tensor, layout);
        expect(sparse.dtype).toBe(dtype);
        expect(sparse.stored.parts.values!.dtype).toBe(dtype);
        expect(sparse.toDense()).toEqual(tensor);
      }),
      { numRuns: 25 },
    );
  });

  it.each(LOSSY)("%s refuses what does not fit, or prunes it by magnitude", (layout) => {
    fc.assert(
      fc.property(tensors(dtype), (tensor) => {
        const matrix = toMatrix(tensor, [0, 1]);
        const sparse = toSparse(tensor, layout, { lossy: true });
        const encoder = parseLayout(layout);
        encoder.validate(sparse.stored);
        if (encoder.misfit(maskOf(matrix)) === null) {
          expect(sparse.toDense()).toEqual(tensor);
          return;
        }
        expect(() => toSparse(tensor, layout)).toThrow(/rows? \d+/);
        const dense = toMatrix(sparse.toDense(), [0, 1]);
        expect(encoder.misfit(maskOf(dense))).toBeNull();
        dense.data.forEach((x, i) => {
          expect(x === 0 || x === matrix.data[i]).toBe(true);
        });
      }),
      { numRuns: 25 },
    );
  });
});

describe("the short forms", () => {
  const tensor = Tensor.from("float32", [2, 4], [3, 1, 0, 2, 0, 0, 5, 0]);

  it("are the layouts they name", () => {
    expect(toSparseCsr(tensor).stored.layout).toBe("csr");
    expect(toSparseCoo(tensor).stored.layout).toBe("coo");
    expect(toSparseBsr(tensor, [1, 2]).stored.layout).toBe("bsr:1x2");
    for (const make of [toSparseCsr, toSparseCoo]) expect(make(tensor).toDense()).toEqual(tensor);
    expect(toSparseBsr(tensor, [1, 2]).toDense()).toEqual(tensor);
  });

  it("say which group does not fit, and keep the two largest when asked to", () => {
    expect(() => toSparseSemiStructured(tensor)).toThrow(/row 0, columns 0 to 3 keep 3, more than 2 of 4/);
    const sparse = toSparseSemiStructured(tensor, { lossy: true });
    expect([...sparse.toDense().numbers()]).toEqual([3, 0, 0, 2, 0, 0, 5, 0]);
    expect(sparse.stored.parts.indices!.data).toEqual(Uint8Array.of(0b1100, 0b1110));
  });

  it("store values as another dtype", () => {
    const sparse = toSparseCsr(tensor, { values: "int8" });
    expect(sparse.stored.parts.values!.dtype).toBe("int8");
    expect(sparse.dtype).toBe("float32");
    expect(sparse.stored.parts.scales!.shape).toEqual([2]);
    expect(sparse.byteLength).toBe(3 * 4 + 4 * 2 + 4 + 2 * 4);
  });

  it("count NaN as nonzero and -0 as zero", () => {
    const odd = Tensor.from("float16", [1, 4], [Number.NaN, -0, 1, 0]);
    const back = toSparseCsr(odd).toDense();
    expect([...back.numbers()]).toEqual([Number.NaN, 0, 1, 0]);
    expect(() =>
      toSparse(Tensor.from("float32", [1, 4], [Number.NaN, 1, 1, 0]), "semi-structured", { lossy: true }),
    ).toThrow(/NaN/);
  });

  it("refuse other ranks and dtypes", () => {
    expect(() => toSparseCsr(Tensor.zeros("float32", [4]))).toThrow(NonzeroError);
    expect(() => toSparseCsr(Tensor.zeros("float64", [2, 2]))).toThrow(/float64/);
    expect(() => toSparseCsr(Tensor.zeros("int8", [2, 2]), { values: "float16" })).not.toThrow();
  });

  it("keep int8 codes as they are", () => {
    const codes = Tensor.from("int8", [2, 3], [-128, 0, 127, 1, 0, -1]);
    const sparse = toSparseCsr(codes);
    expect([...sparse.stored.parts.scales!.numbers()]).toEqual([1, 1]);
    expect(sparse.toDense()).toEqual(codes);
  });
});

describe("SparseTensor", () => {
  it("sees convolution weights as [outputs, kernel × inputs]", () => {
    const tensor = Tensor.from(
      "float32",
      [2, 3, 1, 2],
      Float32Array.from({ length: 12 }, (_, i) => i),
    );
    const matrix = toMatrix(tensor, [0, 2, 3, 1]);
    expect(matrix).toEqual({ rows: 2, cols: 6, data: Float32Array.of(0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11) });
    expect(fromMatrix(matrix, tensor.shape, [0, 2, 3, 1], "float32")).toEqual(tensor);
    const sparse = new SparseTensor(tensor.shape, [0, 2, 3, 1], parseLayout("csr").encode(matrix, maskOf(matrix)));
    expect(sparse.toDense()).toEqual(tensor);
  });

  it("undoes any permutation, zero sizes too", () => {
    const shapes = fc.array(fc.nat(3), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, seed) => {
        const perm = shape.map((_, i) => i).sort((a, b) => ((a * 7 + seed) % 5) - ((b * 7 + seed) % 5) || a - b);
        const size = shape.reduce((a, b) => a * b, 1);
        const tensor = Tensor.from(
          "float32",
          shape,
          Float32Array.from({ length: size }, (_, i) => i + 1),
        );
        const matrix = toMatrix(tensor, perm);
        expect(matrix.rows * matrix.cols).toBe(size);
        expect(fromMatrix(matrix, shape, perm, "float32")).toEqual(tensor);
      }),
    );
  });

  it("refuses axes and shapes that do not make the matrix", () => {
    const stored = parseLayout("csr").encode(toMatrix(Tensor.zeros("float32", [2, 3]), [0, 1]), {
      rows: 2,
      cols: 3,
      data: new Uint8Array(6),
    });
    expect(() => new SparseTensor([2, 3], [0, 0], stored)).toThrow(NonzeroError);
    expect(() => new SparseTensor([2, 3], [1, 0], stored)).toThrow(NonzeroError);
    expect(() => new SparseTensor([2, 4], [0, 1], stored)).toThrow(NonzeroError);
    expect(() => new SparseTensor([2, -3, -1], [0, 1, 2], stored)).toThrow(NonzeroError);
    expect(() => new SparseTensor([], [], stored)).toThrow(NonzeroError);
  });
});

describe("bestLayout", () => {
  const scores = {
    rows: 128,
    cols: 256,
    data: Float32Array.from({ length: 128 * 256 }, (_, i) => (i * 7919 + (i >> 7) * 104729) % 65521),
  };

  it.each([
    ["2:4", "semi-structured"],
    ["1:4", "n:m:1:4"],
    ["4:2:4", "v:n:m:4:2:4"],
    ["block:16x16@90%", "bsr:16x16"],
    ["rows@50%", "rows"],
    ["cols@50%", "cols"],
    ["60%", "bitmask"],
    ["98%", "csr"],
  ])("stores %s as %s", (pattern, layout) => {
    const mask = parsePattern(pattern).select(scores);
    expect(bestLayout(mask)?.text).toBe(layout);
    expect(bestLayout(mask, parsePattern(pattern))?.text).toBe(layout);
  });

  it.each([
    ["block:16x16@90%", "bsr:16x16"],
    ["4:2:4", "v:n:m:4:2:4"],
    ["cols@50%", "cols"],
    ["2:4", "bitmask"],
    ["60%", "bitmask"],
  ])("is no better than the fastest for %s, known as unstructured: %s", (pattern, layout) => {
    const mask = parsePattern(pattern).select(scores);
    const unknown = parsePattern("50%");
    expect(fastestLayout(mask, unknown)?.text).toBe(layout);
    expect(bestLayout(mask, unknown)?.text).not.toMatch(/^(bsr|v:n:m)/);
    expect(fastestLayout(parsePattern("2%").select(scores), unknown)).toBeNull();
  });

  it("leaves dense what gains nothing", () => {
    expect(bestLayout(parsePattern("dense").select(scores))).toBeNull();
    expect(bestLayout(parsePattern("2%").select(scores))).toBeNull();
    expect(bestLayout({ rows: 0, cols: 0, data: new Uint8Array(0) })).toBeNull();
  });

  it("says beforehand what encoding takes", () => {
    const mask = parsePattern("75%").select(scores);
    for (const values of DTYPES) {
      for (const text of ANY) {
        const layout = parseLayout(text);
        expect(encodedBytes(layout, mask, values)).toBe(bytesOf(layout.encode(scores, mask, { values })));
      }
    }
  });
});

describe("layoutOf", () => {
  it.each([
    ["2:4", "semi-structured"],
    ["3:8", "n:m:3:8"],
    ["4:2:4", "v:n:m:4:2:4"],
    ["block:8x4@90%", "bsr:8x4"],
    ["block:8x4@90%+2:4", "bsr:8x4+2:4"],
    ["block:4x4:2:4", "bnm:4x4:2:4"],
    ["shuffled-block:4x4@50%", "shuffled-bsr:4x4"],
    ["rows@25%", "rows"],
    ["cols@25%", "cols"],
  ])("%s is stored as %s, which takes every mask of it", (text, layout) => {
    const pattern = parsePattern(text);
    expect(layoutOf(pattern)?.text).toBe(layout);
    for (const [rows, cols] of [
      [8, 16],
      [7, 13],
      [1, 1],
    ] as const) {
      const data = Float32Array.from({ length: rows * cols }, (_, i) => (i * 37) % 101);
      expect(layoutOf(pattern)!.misfit(pattern.select({ rows, cols, data }))).toBeNull();
    }
  });

  it.each(["dense", "50%", "50%/row"])("%s has none", (text) => {
    expect(layoutOf(parsePattern(text))).toBeNull();
  });
});
