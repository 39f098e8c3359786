import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonzeroError, Tensor } from "../tensor/index.js";
import { quantizeGroups } from "./quantize.js";
import { parseLayout } from "./registry.js";

const matrices = fc
  .tuple(fc.nat(5), fc.nat(40), fc.constantFrom(16, 32), fc.infiniteStream(fc.double({ min: -3, max: 3, noNaN: true })))
  .map(([rows, cols, size, stream]) => {
    const data = Float32Array.from({ length: rows * cols }, () => stream.next().value as number);
    return { matrix: { rows, cols, data }, size };
  });

describe("layout dense:gG", () => {
  it("holds every value within half a step of its group, whatever the zero points", () => {
    fc.assert(
      fc.property(matrices, fc.boolean(), ({ matrix, size }, symmetric) => {
        const { rows, cols, data } = matrix;
        const layout = parseLayout(`dense:g${size}`);
        const { codes, scales, zeroPoints } = quantizeGroups(matrix, size, symmetric);
        const groups = Math.ceil(cols / size);
        const stored = {
          ...{ layout: layout.text, rows, cols, dtype: "float32" as const },
          parts: {
            values: Tensor.from("uint4", [rows, cols], codes),
            scales: new Tensor("float32", [rows, groups], scales),
            ...(symmetric ? {} : { zero_points: Tensor.from("uint4", [rows, groups], zeroPoints) }),
          },
        };
        layout.validate(stored);
        const back = layout.decode(stored).data;
        data.forEach((x, i) => {
          const scale = scales[Math.floor(i / cols) * groups + Math.floor((i % cols) / size)]!;
          // Half a step; a whole one where code 16 would be next, or the zero point was rounded; and the rounding of the product.
          expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual(Math.abs(scale) * (1 + 2 ** -20));
        });
      }),
    );
  });

  it("gives back what it encodes, and refuses other value types and parts", () => {
    const layout = parseLayout("dense:g16");
    const matrix = { rows: 2, cols: 20, data: Float32Array.from({ length: 40 }, (_, i) => (i % 16) - 8) };
    const mask = { rows: 2, cols: 20, data: new Uint8Array(40).fill(1) };
    const stored = layout.encode(matrix, mask);
    expect(Object.keys(stored.parts)).toEqual(["values", "scales"]);
    layout.validate(stored);
    const second = layout.encode(layout.decode(stored), mask);
    expect(layout.decode(second)).toEqual(layout.decode(stored));
    expect(() => layout.encode(matrix, mask, { values: "int8" })).toThrow(NonzeroError);
    const refuse = (change: Record<string, Tensor>): void => {
      expect(() => layout.validate({ ...stored, parts: { ...stored.parts, ...change } })).toThrow(NonzeroError);
    };
    refuse({ values: Tensor.zeros("int8", [2, 20]) });
    refuse({ scales: Tensor.zeros("float32", [2, 1]) });
    refuse({ zero_points: Tensor.zeros("uint8", [2, 2]) });
    refuse({ indices: Tensor.zeros("uint8", [2, 2]) });
    matrix.data[21] = Number.NaN;
    expect(() => layout.encode(matrix, mask)).toThrow(/row 1, column 1 is NaN/);
  });
});
