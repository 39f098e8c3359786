import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, BOTH_WAYS_ALGORITHMS, selectBothWays, selectRows24 } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { sparsify24, sparsify24Like, sparsifyRows24 } from "./both-ways.js";
import { fromCutlass, toCutlass } from "./cutlass.js";
import { parseLayout } from "./registry.js";
import { toMatrix } from "./sparse-tensor.js";

const GOLDEN = "../shared/data/golden-pytorch/golden-pytorch.json";

const tensors = fc
  .tuple(fc.nat(4), fc.nat(4), fc.constantFrom("float32" as const, "float16" as const, "bfloat16" as const))
  .chain(([down, across, dtype]) =>
    fc
      .array(fc.integer({ min: -20, max: 20 }), { minLength: 16 * down * across, maxLength: 16 * down * across })
      .map((values) => Tensor.from(dtype, [4 * down, 4 * across], values)),
  );

/** The matrix turned. */
function turned({ shape, dtype, ...rest }: Tensor): Tensor {
  const [rows, cols] = shape as [number, number];
  const from = new Tensor(dtype, shape, rest.data).numbers();
  const values = Float32Array.from({ length: rows * cols }, (_, i) => from[(i % rows) * cols + Math.floor(i / rows)]!);
  return Tensor.from(dtype, [cols, rows], values);
}

describe("sparsify24", () => {
  it("gives valid parts of the pruned matrix and of its transpose", () => {
    const layout = parseLayout("semi-structured");
    fc.assert(
      fc.property(tensors, fc.constantFrom(...BOTH_WAYS_ALGORITHMS), (x, algorithm) => {
        const { sparse, transposed, mask } = sparsify24(x, { algorithm });
        layout.validate(sparse.stored);
        layout.validate(transposed.stored);
        const matrix = toMatrix(x, [0, 1]);
        const pruned = Tensor.from(x.dtype, x.shape, applyMask(matrix, selectBothWays(matrix, algorithm)).data);
        expect([...sparse.toDense().numbers()]).toEqual([...pruned.numbers()]);
        expect([...transposed.toDense().numbers()]).toEqual([...turned(pruned).numbers()]);
        expect(mask.shape).toEqual(x.shape.map((dim) => dim / 4));
        expect(sparsify24Like(x, { mask })).toEqual({ sparse, transposed, mask });
      }),
    );
  });

  it("is by magnitude where nothing is said", () => {
    const x = Tensor.from("float32", [4, 4], [-9, 1, 2, 3, 1, 2, 3, 4, 2, 1, 1, 3, 3, 2, 9, 1]);
    expect(sparsify24(x)).toEqual(sparsify24(x, { algorithm: "largest_abs_values_greedy" }));
    expect(sparsify24(x).sparse.toDense().numbers()[0]).toBe(-9);
  });

  it("keeps the bits of NaN and -0", () => {
    const bits = Uint32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 0x80000000 : 0x7fa00001 + i));
    const x = new Tensor("float32", [4, 4], new Float32Array(bits.buffer));
    const { sparse, transposed } = sparsify24(x);
    for (const { stored } of [sparse, transposed]) {
      const kept = new Uint32Array(stored.parts.values!.bytes().slice().buffer);
      expect([...kept].filter((word) => word !== 0).length).toBeGreaterThan(6);
      expect([...kept].every((word) => word === 0 || bits.includes(word))).toBe(true);
    }
  });

  it("refuses other shapes, dtypes and masks", () => {
    expect(() => sparsify24(Tensor.zeros("float32", [4, 6]))).toThrow(NonzeroError);
    expect(() => sparsify24(Tensor.zeros("float32", [16]))).toThrow("2:4 is for matrices, not for shape [16]");
    expect(() => sparsify24(Tensor.zeros("int8", [4, 4]))).toThrow(/not int8/);
    const { mask } = sparsify24(Tensor.zeros("float32", [4, 8]));
    expect(() => sparsify24Like(Tensor.zeros("float32", [8, 4]), { mask })).toThrow("[1,2] tiles do not fit");
  });
});

it("sparsifyRows24 keeps two of each four of a row", () => {
  const x = Tensor.from(
    "float32",
    [3, 8],
    [...new Array(24).keys()].map((i) => ((i * 7) % 11) - 5),
  );
  for (const algorithm of ["largest_notranspose", "largest_abs_notranspose"] as const) {
    const matrix = toMatrix(x, [0, 1]);
    const pruned = applyMask(matrix, selectRows24(matrix, algorithm));
    expect([...sparsifyRows24(x, { algorithm }).toDense().numbers()]).toEqual([...pruned.data]);
  }
});

interface TileFull {
  readonly algorithm: "largest_values_greedy" | "largest_abs_values_greedy";
  readonly rows: number;
  readonly cols: number;
  readonly packed_row0: number[];
  readonly masks_sha256: string;
  readonly masks_tile00: number[];
  readonly kept: number;
}

describe.skipIf(!existsSync(GOLDEN))(`against PyTorch (${GOLDEN})`, () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, "utf8")) : {};

  it("keeps what the tile kernel keeps of a whole matrix", () => {
    for (const full of golden.tile_full as TileFull[]) {
      const { rows, cols, algorithm } = full;
      const values = Float32Array.from({ length: rows * cols }, (_, at) => {
        const [i, j] = [Math.floor(at / cols), at % cols];
        return ((7 * i + 31 * j + 5 * i * j + 3 * i * i) % 509) - 254;
      });
      const { sparse, mask } = sparsify24(Tensor.from("float16", [rows, cols], values), { algorithm });
      const bytes = threadsMasks(mask);
      expect([...bytes.subarray(0, 8)]).toEqual(full.masks_tile00);
      expect(createHash("sha256").update(bytes).digest("hex")).toBe(full.masks_sha256);
      // A group that keeps one value may have it in either slot.
      const row0 = sparse.stored.parts.values!.numbers().subarray(0, cols / 2);
      const groups = (row: ArrayLike<number>): number[][] =>
        Array.from({ length: row.length / 2 }, (_, g) => [row[2 * g]!, row[2 * g + 1]!].toSorted((a, b) => a - b));
      expect(groups(row0)).toEqual(groups(full.packed_row0));
      const cutlass = toCutlass(sparse.toDense());
      expect(fromCutlass(cutlass).bytes()).toEqual(sparse.toDense().bytes());
    }
  });
});

/** PyTorch's order: the four tiles of each 8×8 block together, upper left, upper right, lower left, lower right. */
function threadsMasks(mask: Tensor): Uint8Array {
  const [down, across] = mask.shape as [number, number];
  const words = new Uint16Array(down * across);
  (mask.data as Uint16Array).forEach((tile, at) => {
    const [i, j] = [Math.floor(at / across), at % across];
    words[((i >> 1) * (across / 2) + (j >> 1)) * 4 + 2 * (i & 1) + (j & 1)] = tile;
  });
  return new Uint8Array(words.buffer);
}
