import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMask, keptBlocks, type Mask, type Matrix, parsePattern } from "../sparsity/index.js";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { bytesOf, type Layout, type Stored, type ValueDataType } from "./layout.js";
import { parseLayout } from "./registry.js";

/** Every layout, with parameters that divide the shapes below and that do not. */
const LAYOUTS = [
  "dense",
  "coo",
  "csr",
  "bitmask",
  "rows",
  "cols",
  "bsr:2x3",
  "bsr:4x4",
  "bsr:1x1",
  "shuffled-bsr:2x3",
  "shuffled-bsr:4x1",
  "bsr:2x4+2:4",
  "bsr:3x6+1:3",
  "bnm:2x2:1:2",
  "bnm:4x1:2:3",
  "semi-structured",
  "n:m:1:4",
  "n:m:2:4",
  "n:m:3:5",
  "n:m:3:3",
  "n:m:2:33",
  "v:n:m:4:2:4",
  "v:n:m:3:1:6",
];

const mask = (rows: number, cols: number, data: ArrayLike<number>): Mask => ({
  rows,
  cols,
  data: Uint8Array.from(data),
});

/** Clears entries until the layout takes the mask: every layout's rule survives that. */
function fitted(layout: Layout, any: Mask): Mask {
  const data = any.data.slice();
  for (let i = 0; i < data.length && layout.misfit({ ...any, data }) !== null; i++) data[i] = 0;
  return { ...any, data };
}

/** A matrix and a mask that fits the layout. The values at pruned places are not zero, so that encoders must look at the mask. */
const cases = (layout: Layout): fc.Arbitrary<{ dense: Matrix; mask: Mask }> =>
  fc
    .tuple(
      fc.nat(9),
      fc.nat(14),
      fc.constantFrom(0.1, 0.5, 1),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
    )
    .map(([rows, cols, density, stream]) => {
      const next = (): number => stream.next().value as number;
      const bits = Array.from({ length: rows * cols }, () => (next() < density ? 1 : 0));
      const data = Float32Array.from({ length: rows * cols }, () => next() * 8 - 4);
      return { dense: { rows, cols, data }, mask: fitted(layout, mask(rows, cols, bits)) };
    });

function visited(layout: Layout, stored: Stored): [number, number, number][] {
  const seen: [number, number, number][] = [];
  layout.visit(stored, (row, col, index) => seen.push([row, col, index]));
  return seen;
}

describe.each(LAYOUTS)("layout %s", (text) => {
  const layout = parseLayout(text);

  it("is named by its text", () => {
    expect(layout.text).toBe(text);
    expect(text.startsWith(layout.name)).toBe(true);
  });

  it("gives back what it encodes", () => {
    fc.assert(
      fc.property(cases(layout), ({ dense, mask }) => {
        const stored = layout.encode(dense, mask);
        expect(stored).toMatchObject({ layout: text, rows: dense.rows, cols: dense.cols, dtype: "float32" });
        layout.validate(stored);
        expect(layout.decode(stored)).toEqual(applyMask(dense, mask));
      }),
    );
  });

  it("lists its parts in order, and takes the bytes that its footprint says", () => {
    fc.assert(
      fc.property(
        cases(layout),
        fc.constantFrom<ValueDataType>("float32", "float16", "bfloat16", "int8"),
        ({ dense, mask }, values) => {
          const stored = layout.encode(dense, mask, { values });
          expect(Object.keys(stored.parts)).toEqual(values === "int8" ? layout.parts : layout.parts.slice(0, -1));
          const footprint = layout.footprint(mask);
          const valueBytes = { float32: 4, float16: 2, bfloat16: 2, int8: 1 }[values];
          const scaleBytes = values === "int8" ? 4 * dense.rows : 0;
          expect(bytesOf(stored)).toBe(footprint.values * valueBytes + footprint.indexBytes + scaleBytes);
        },
      ),
    );
  });

  it("visits every kept entry once, in row-major order, and pruned ones only as zeros", () => {
    fc.assert(
      fc.property(cases(layout), ({ dense, mask }) => {
        const stored = layout.encode(dense, mask);
        const values = stored.parts.values!.numbers();
        const seen = visited(layout, stored);
        const places = seen.map(([row, col]) => row * dense.cols + col);
        expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
        expect(seen.every(([row, col]) => row < dense.rows && col < dense.cols)).toBe(true);
        expect(new Set(seen.map(([, , index]) => index)).size).toBe(seen.length);
        const kept = new Set(places);
        mask.data.forEach((bit, place) => {
          if (bit !== 0) expect(kept.has(place)).toBe(true);
        });
        for (const [row, col, index] of seen) {
          const place = row * dense.cols + col;
          expect(values[index]).toBe(mask.data[place] !== 0 ? dense.data[place] : 0);
        }
      }),
    );
  });

  it("rounds float16 and bfloat16 to nearest and int8 to half a step of its row", () => {
    fc.assert(
      fc.property(cases(layout), ({ dense, mask }) => {
        const kept = applyMask(dense, mask);
        for (const values of ["float16", "bfloat16"] as const) {
          const stored = layout.encode(dense, mask, { values, dtype: values });
          layout.validate(stored);
          expect(stored.dtype).toBe(values);
          expect(layout.decode(stored).data).toEqual(Tensor.from(values, [kept.data.length], kept.data).numbers());
        }
        const stored = layout.encode(dense, mask, { values: "int8" });
        layout.validate(stored);
        const { data } = layout.decode(stored);
        for (let row = 0; row < dense.rows; row++) {
          const line = kept.data.subarray(row * dense.cols, (row + 1) * dense.cols);
          const peak = line.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
          line.forEach((x, col) => {
            // half a step, plus one float32 rounding of the scale and one of the product
            expect(Math.abs(x - data[row * dense.cols + col]!)).toBeLessThanOrEqual(peak / 254 + peak * 2 ** -22);
          });
        }
      }),
    );
  });

  it("stores kept zeros, -0 and NaN as they are, and refuses NaN and infinity in int8", () => {
    const dense = { rows: 2, cols: 1, data: Float32Array.of(-0, Number.NaN) };
    const both = mask(2, 1, [1, 1]);
    const { data } = layout.decode(layout.encode(dense, both));
    expect(Object.is(data[0], -0)).toBe(true);
    expect(data[1]).toBeNaN();
    expect(() => layout.encode(dense, both, { values: "int8" })).toThrow(/row 1, column 0 is NaN/);
  });

  it("refuses a mask that does not fit, and a mask of another shape", () => {
    const full = mask(9, 14, new Uint8Array(126).fill(1));
    const dense = { rows: 9, cols: 14, data: new Float32Array(126) };
    const reason = layout.misfit(full);
    if (reason !== null) {
      expect(reason).toMatch(/row/);
      expect(() => layout.encode(dense, full)).toThrow(new NonzeroError("layout", `${text}: ${reason}`));
    }
    expect(() => layout.encode(dense, mask(14, 9, full.data))).toThrow(NonzeroError);
  });

  it("refuses a changed element, unless what it makes is another valid matrix", () => {
    fc.assert(
      fc.property(
        cases(layout),
        fc.constantFrom<ValueDataType>("float32", "int8"),
        fc.nat(),
        ({ dense, mask }, values, seed) => {
          const stored = layout.encode(dense, mask, { values });
          for (const broken of corruptions(stored, seed)) {
            let error: unknown;
            try {
              layout.validate(broken);
            } catch (caught) {
              error = caught;
            }
            if (error === undefined) {
              // What passes must be safe to read.
              const seen = visited(layout, broken);
              expect(seen.every(([row, col]) => row < broken.rows && col < broken.cols)).toBe(true);
              const places = seen.map(([row, col]) => row * broken.cols + col);
              expect(places).toEqual([...new Set(places)].sort((a, b) => a - b));
              expect(seen.every(([, , index]) => index < broken.parts.values!.size)).toBe(true);
            } else {
              expect(error).toBeInstanceOf(NonzeroError);
              expect((error as NonzeroError).code).toBe("invalid-model");
              expect((error as NonzeroError).place.field).toBeDefined();
            }
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("refuses missing, extra, retyped, reshaped and truncated parts, and other names and sizes", () => {
    const full = fitted(layout, mask(6, 8, new Uint8Array(48).fill(1)));
    const dense = { rows: 6, cols: 8, data: new Float32Array(48).fill(1) };
    for (const values of ["float32", "int8"] as const) {
      const stored = layout.encode(dense, full, { values });
      const refused: Stored[] = structural(stored);
      for (const broken of refused) expect(() => layout.validate(broken)).toThrow(NonzeroError);
    }
  });
});

/** Faults that no layout may accept. */
function structural(stored: Stored): Stored[] {
  const { parts } = stored;
  const broken: Stored[] = [
    { ...stored, layout: "other" },
    { ...stored, dtype: "string" },
    ...[-1, 1.5, Number.NaN, 2 ** 53].map((size) => ({ ...stored, rows: size })),
    ...[-1, 1.5, Number.NaN, 2 ** 53].map((size) => ({ ...stored, cols: size })),
    { ...stored, rows: 2 ** 16, cols: 2 ** 16 },
    { ...stored, rows: stored.rows - 5 },
    { ...stored, cols: stored.cols - 5 },
    { ...stored, parts: { ...parts, more: Tensor.zeros("float32", [1]) } },
  ];
  for (const [name, part] of Object.entries(parts)) {
    const replace = (tensor: Tensor): Stored => ({ ...stored, parts: { ...parts, [name]: tensor } });
    const { [name]: _, ...rest } = parts;
    broken.push(
      { ...stored, parts: rest },
      replace(Tensor.zeros("float64", part.shape)),
      replace(Tensor.zeros("int64", part.shape)),
      replace(part.reshape([...part.shape, 1])),
      replace(part.reshape([1, ...part.shape])),
      replace(Tensor.zeros(part.dtype, [...part.shape.slice(0, -1), part.shape.at(-1)! + 1])),
      replace(Tensor.zeros(part.dtype, [part.shape[0]! - 1, ...part.shape.slice(1)])),
      replace(Tensor.zeros(part.dtype, [])),
    );
  }
  return broken;
}

/** One element of an index part changed to something else, or one element of padding set. */
function* corruptions(stored: Stored, seed: number): Generator<Stored> {
  for (const [name, part] of Object.entries(stored.parts)) {
    if (part.size === 0 || name === "scales") continue;
    const at = seed % part.size;
    const was = part.data[at] as number;
    for (const value of [0, 1, was + 1, was - 1, was ^ (1 << (seed % 8)), 255, 65535, 2 ** 32 - 1]) {
      const data = (part.data as Uint32Array).slice();
      data[at] = value;
      yield { ...stored, parts: { ...stored.parts, [name]: new Tensor(part.dtype, part.shape, data) } };
    }
  }
}

describe("parseLayout", () => {
  it.each([
    "",
    "CSR",
    "csr ",
    "bsr",
    "bsr:0x4",
    "bsr:4",
    "bsr:4x6+2:4",
    "bnm:4x4:3:2",
    "bsr:04x4",
    "bsr:99999x1",
    "n:m:5:4",
    "n:m:0:4",
    "n:m:1:1",
    "n:m:2",
    "v:n:m:0:2:4",
    "2:4",
  ])("refuses '%s'", (text) => {
    expect(() => parseLayout(text)).toThrow(NonzeroError);
  });
});

describe("the bits", () => {
  const ones = (rows: number, cols: number): Matrix => ({
    rows,
    cols,
    data: Float32Array.from({ length: rows * cols }, (_, i) => i + 1),
  });

  it("csr holds pointers, columns and values", () => {
    const stored = parseLayout("csr").encode(ones(2, 3), mask(2, 3, [0, 1, 1, 1, 0, 0]));
    expect(stored.parts.crow_indices).toEqual(new Tensor("uint32", [3], Uint32Array.of(0, 2, 3)));
    expect(stored.parts.col_indices).toEqual(new Tensor("uint16", [3], Uint16Array.of(1, 2, 0)));
    expect(stored.parts.values).toEqual(Tensor.from("float32", [3], [2, 3, 4]));
  });

  it("csr uses uint32 columns beyond 65536", () => {
    const wide = (cols: number) => {
      const last = mask(1, cols, new Uint8Array(cols));
      last.data[cols - 1] = 1;
      return parseLayout("csr").encode(ones(1, cols), last).parts.col_indices!;
    };
    expect(wide(65536)).toEqual(new Tensor("uint16", [1], Uint16Array.of(65535)));
    expect(wide(65537)).toEqual(new Tensor("uint32", [1], Uint32Array.of(65536)));
  });

  it("bsr pads the blocks at the edge", () => {
    const stored = parseLayout("bsr:2x2").encode(ones(3, 3), mask(3, 3, [0, 0, 0, 0, 0, 0, 1, 0, 1]));
    expect(stored.parts.crow_indices!.data).toEqual(Uint32Array.of(0, 0, 2));
    expect(stored.parts.values).toEqual(Tensor.from("float32", [2, 2, 2], [7, 0, 0, 0, 9, 0, 0, 0]));
  });

  it("n:m packs indices from the lowest bit, across bytes", () => {
    const stored = parseLayout("n:m:1:8").encode(
      ones(1, 24),
      mask(1, 24, [...oneAt(8, 5), ...oneAt(8, 3), ...oneAt(8, 7)]),
    );
    expect(stored.parts.indices).toEqual(new Tensor("uint8", [1, 2], Uint8Array.of(0b11_011_101, 0b1)));
  });

  it("semi-structured float16 takes 9/16 and csr at 90 % less than 0.2 of dense", () => {
    const half = mask(
      64,
      256,
      Array.from({ length: 64 * 256 }, (_, i) => (i % 4 < 2 ? 1 : 0)),
    );
    const stored = parseLayout("semi-structured").encode(ones(64, 256), half, { values: "float16" });
    expect(bytesOf(stored)).toBe((64 * 256 * 2 * 9) / 16);
    const tenth = mask(
      64,
      256,
      Array.from({ length: 64 * 256 }, (_, i) => (i % 10 === 0 ? 1 : 0)),
    );
    expect(bytesOf(parseLayout("csr").encode(ones(64, 256), tenth))).toBeLessThan(0.2 * 64 * 256 * 4);
  });

  it("v:n:m writes the columns of a band once", () => {
    const stored = parseLayout("v:n:m:2:2:4").encode(ones(3, 4), mask(3, 4, [1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0]));
    expect(stored.parts.indices).toEqual(new Tensor("uint8", [2, 1], Uint8Array.of(0b1100, 0b1001)));
    expect(stored.parts.values).toEqual(Tensor.from("float32", [3, 2], [1, 0, 0, 8, 10, 11]));
  });
});

const oneAt = (length: number, at: number): number[] => Array.from({ length }, (_, i) => (i === at ? 1 : 0));

describe("keptBlocks", () => {
  it("marks ragged blocks that keep an entry", () => {
    expect(keptBlocks(mask(3, 3, [0, 0, 0, 0, 0, 0, 1, 0, 1]), 2, 2)).toEqual(mask(2, 2, [0, 0, 1, 1]));
  });
});

describe("shuffled-bsr", () => {
  it("takes no more blocks than the pattern keeps, and fewer than bsr without the order", () => {
    const pattern = parsePattern("shuffled-block:4x4@75%");
    const scores = {
      rows: 32,
      cols: 64,
      data: Float32Array.from({ length: 2048 }, (_, i) => ((i * 7919) % 2053) / 2053),
    };
    const kept = pattern.select(scores);
    expect(parseLayout("shuffled-bsr:4x4").footprint(kept).values).toBe(512);
    expect(parseLayout("bsr:4x4").footprint(kept).values).toBeGreaterThan(512);
  });

  it("refuses an order that is none", () => {
    const layout = parseLayout("shuffled-bsr:2x2");
    const ones = mask(4, 4, new Array(16).fill(1));
    const stored = layout.encode({ rows: 4, cols: 4, data: new Float32Array(16).fill(1) }, ones);
    const withOrder = (...order: number[]): Stored => ({
      ...stored,
      parts: { ...stored.parts, row_indices: Tensor.from("uint16", [order.length], order) },
    });
    expect(() => layout.validate(withOrder(0, 1, 1, 3))).toThrow(/row_indices.*row 1 comes twice/);
    expect(() => layout.validate(withOrder(0, 1, 2, 4))).toThrow(/row_indices.*not below 4/);
    expect(() => layout.validate(withOrder(0, 1, 2))).toThrow(/row_indices.*shape/);
    expect(() => layout.validate(withOrder(3, 1, 0, 2))).not.toThrow();
  });
});
