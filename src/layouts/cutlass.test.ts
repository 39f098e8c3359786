import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DataType, NonzeroError, Tensor } from "../tensor/index.js";
import { toSparseSemiStructured } from "./convert.js";
import { fromCutlass, toCutlass } from "./cutlass.js";

const GOLDEN = "../shared/data/golden-pytorch/golden-pytorch.json";

interface Case {
  readonly dtype: "fp16" | "fp32" | "int8";
  readonly rows: number;
  readonly cols: number;
  readonly packed_row0: number[];
  readonly packed_sum: number;
  readonly packed_sha256_i8: string;
  readonly meta_dtype: string;
  readonly meta_unsigned: number[][];
}

describe.skipIf(!existsSync(GOLDEN))(`against PyTorch (${GOLDEN})`, () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, "utf8")) : {};

  it("makes the same packed and meta from a matrix that is not 2:4", () => {
    const cases = golden.from_dense_cutlass.cases as Case[];
    expect(cases.length).toBeGreaterThan(0);
    for (const { dtype, rows, cols, ...wanted } of cases) {
      const values = Float32Array.from({ length: rows * cols }, (_, at) => {
        const [i, j] = [Math.floor(at / cols), at % cols];
        return ((37 * i + 101 * j + 13 * i * j) % 7) - 3;
      });
      const dense = Tensor.from(
        ({ fp16: "float16", fp32: "float32", int8: "int8" } as const)[dtype],
        [rows, cols],
        values,
      );
      expect(() => toCutlass(dense)).toThrow(NonzeroError);
      const { packed, meta } = toCutlass(dense, { lossy: true });
      const numbers = [...packed.numbers()];
      expect(packed.shape).toEqual([rows, cols / 2]);
      expect(numbers.slice(0, cols / 2)).toEqual(wanted.packed_row0);
      expect(numbers.reduce((sum, x) => sum + x, 0)).toBe(wanted.packed_sum);
      expect(createHash("sha256").update(Int8Array.from(numbers)).digest("hex")).toBe(wanted.packed_sha256_i8);
      expect(`torch.${meta.dtype}`).toBe(wanted.meta_dtype);
      const bits = meta.dtype === "int16" ? 0xffff : 0xffffffff;
      expect([...meta.numbers()].map((word) => (word & bits) >>> 0)).toEqual(wanted.meta_unsigned.flat());
    }
  });

  it("keeps the same entries of every pattern of a group", () => {
    const rows = golden.from_dense_16_patterns.rows as { pattern: number[]; packed: number[]; roundtrip: number[] }[];
    for (const { pattern, packed, roundtrip } of rows) {
      const group = pattern.map((bit, i) => bit * (i + 1));
      const dense = Tensor.from(
        "float16",
        [32, 64],
        Float32Array.from({ length: 2048 }, (_, i) => group[i % 4]!),
      );
      const encoded = toCutlass(dense, { lossy: true });
      expect([...encoded.packed.numbers()].slice(0, 2)).toEqual(packed);
      expect([...fromCutlass(encoded).numbers()].slice(0, 4)).toEqual(roundtrip.map((bit, i) => bit * (i + 1)));
    }
  });
});

const SHAPES: readonly [DataType, number, number, number][] = [
  ["float16", 32, 64, 4],
  ["bfloat16", 32, 64, 4],
  ["float32", 32, 32, 2],
  ["int8", 16, 128, 4],
];

describe.each(SHAPES)("CUTLASS %s", (dtype, rowStep, colStep, group) => {
  const fill = (rows: number, cols: number, value: (row: number, col: number) => number): Tensor =>
    Tensor.from(
      dtype,
      [rows, cols],
      Float32Array.from({ length: rows * cols }, (_, at) => value(Math.floor(at / cols), at % cols)),
    );

  it("gives back what it encodes, bit for bit", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.infiniteStream(fc.integer({ min: -100, max: 100 })),
        (r, c, stream) => {
          const next = (): number => stream.next().value as number;
          const kept = new Set<number>();
          const dense = fill(r * rowStep, c * colStep, (_, col) => {
            if (col % group === 0) {
              kept.clear();
              for (let i = 0; i < group / 2; i++) kept.add(Math.abs(next()) % group);
            }
            return kept.has(col % group) ? next() : 0;
          });
          const encoded = toCutlass(dense);
          expect(encoded.packed.byteLength).toBe(dense.byteLength / 2);
          const back = fromCutlass(encoded);
          expect(back.shape).toEqual(dense.shape);
          expect(back.bytes()).toEqual(dense.bytes());
        },
      ),
      { numRuns: 15 },
    );
  });

  it("puts each word where PyTorch's scatter does", () => {
    const [rows, cols] = [3 * rowStep, 2 * colStep];
    const codes = dtype === "int8" ? 8 : 4;
    const words = cols / group / codes;
    const empty = toCutlass(fill(rows, cols, () => 0)).meta.data as Int16Array;
    expect(empty.every((word) => word === (dtype === "int8" ? 0xeeeeeeee | 0 : -4370))).toBe(true);
    for (const row of [0, 1, 7, 8, 15, rowStep - 1, rowStep, 2 * rowStep + 5]) {
      for (let word = 0; word < words; word++) {
        const one = toCutlass(fill(rows, cols, (r, c) => (r === row && c === word * codes * group ? 1 : 0)));
        const at = (one.meta.data as Int16Array).findIndex((value) => value !== empty[0]);
        expect(at).toBe(scattered(row, word, rows, rowStep));
      }
    }
  });

  it("copies NaN and drops -0 as zero", () => {
    const dense = fill(rowStep, colStep, (_, col) => (col % group === group - 1 ? 1 : col % group === 0 ? -0 : 0));
    expect([...fromCutlass(toCutlass(dense)).numbers()]).toEqual([
      ...fill(rowStep, colStep, (_, col) => (col % group === group - 1 ? 1 : 0)).numbers(),
    ]);
    if (dtype === "int8") return;
    const nan = fill(rowStep, colStep, (_, col) => (col % group === 0 ? Number.NaN : 0));
    expect(fromCutlass(toCutlass(nan)).bytes()).toEqual(nan.bytes());
  });

  it("refuses other shapes and groups that keep too many, in PyTorch's words", () => {
    expect(() => toCutlass(Tensor.zeros(dtype, [rowStep]))).toThrow(/Error original_tensor.dim/);
    for (const shape of [
      [rowStep + 1, colStep],
      [rowStep, colStep / 2],
      [0, colStep],
    ]) {
      expect(() => toCutlass(Tensor.zeros(dtype, shape))).toThrow(/Error original_tensor.shape/);
    }
    const full = fill(rowStep, colStep, (row, col) => (row === 3 && col >= group && col < 2 * group ? 1 : 0));
    expect(() => toCutlass(full)).toThrow(`row 3, columns ${group} to ${2 * group - 1} keep more than`);
  });

  it("refuses packed and meta that do not belong together, and illegal codes", () => {
    const { packed, meta } = toCutlass(fill(rowStep, colStep, () => 0));
    const refuse = (encoded: { packed: Tensor; meta: Tensor }, field: string): void => {
      let error: unknown;
      try {
        fromCutlass(encoded);
      } catch (caught) {
        error = caught;
      }
      expect(error).toMatchObject({ code: "invalid-model", place: { field } });
    };
    refuse({ packed, meta: Tensor.zeros(meta.dtype === "int16" ? "int32" : "int16", meta.shape) }, "meta");
    refuse({ packed, meta: meta.reshape([meta.size]) }, "meta");
    refuse({ packed, meta: Tensor.zeros(meta.dtype, [rowStep, meta.shape[1]! + 1]) }, "meta");
    refuse({ packed: Tensor.zeros(dtype, [rowStep, colStep / 4]), meta }, "packed");
    for (const code of [0, 1, 2, 3, 5, 6, 7, 10, 11, 15]) {
      const data = (meta.data as Int16Array).slice();
      data[5] = (data[5]! & ~15) | code;
      refuse({ packed, meta: new Tensor(meta.dtype, meta.shape, data) }, "meta");
    }
  });
});

/** The position of a word, step by step as PyTorch's conversion computes it. */
function scattered(row: number, word: number, rows: number, band: number): number {
  const step = band === 32 ? 4 : 2;
  let d = (row % 8) * step + Math.floor((row % band) / 8);
  let c = word % 2;
  if (d % 2 === 0 && c === 1) {
    d += 1;
    c = 0;
  } else if (d % 2 === 1 && c === 0) {
    d -= 1;
    c = 1;
  }
  return Math.floor(word / 2) * 2 * rows + Math.floor(row / band) * band * 2 + 2 * d + c;
}

it("refuses dtypes that CUTLASS has no kernel for", () => {
  expect(() => toCutlass(Tensor.zeros("float64", [32, 64]))).toThrow(/Error original_tensor.dtype float64/);
});

it("agrees with the semi-structured layout on codes and values", () => {
  const PAIRS = [[], [0], [1], [2], [3], [0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];
  const dense = Tensor.from(
    "float16",
    [32, 64],
    Float32Array.from({ length: 2048 }, (_, at) => (PAIRS[(at >> 2) % PAIRS.length]!.includes(at % 4) ? at + 1 : 0)),
  );
  const { packed, meta } = toCutlass(dense);
  const { values, indices } = toSparseSemiStructured(dense).stored.parts;
  expect(values!.bytes()).toEqual(packed.bytes());
  const words = new Uint16Array((indices!.data as Uint8Array).slice().buffer);
  const stored = meta.data as Int16Array;
  for (let row = 0; row < 32; row++) {
    for (let word = 0; word < 4; word++) {
      expect(stored[scattered(row, word, 32, 32)]! & 0xffff).toBe(words[row * 4 + word]);
    }
  }
});
