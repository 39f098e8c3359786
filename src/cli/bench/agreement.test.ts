import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Tensor } from "../../tensor/index.js";
import { normal, uniform } from "../inputs.js";
import { disagreement, expectedProduct, outputsDiffer } from "./agreement.js";

function problem(rows: number, depth: number, cols: number, seed: number) {
  const next = uniform(seed);
  const random = (r: number, c: number) => ({
    rows: r,
    cols: c,
    data: Float32Array.from({ length: r * c }, () => normal(next)),
  });
  const weight = random(rows, depth);
  weight.data = weight.data.map((w) => (next() < 0.5 ? 0 : w));
  return { weight, x: random(depth, cols) };
}

/** The product in float32, rounded after each operation. */
function product({ weight, x }: ReturnType<typeof problem>): Tensor {
  const y = new Float32Array(weight.rows * x.cols);
  for (let i = 0; i < weight.rows; i++)
    for (let j = 0; j < x.cols; j++)
      for (let k = 0; k < weight.cols; k++)
        y[i * x.cols + j]! += Math.fround(weight.data[i * weight.cols + k]! * x.data[k * x.cols + j]!);
  return new Tensor("float32", [weight.rows, x.cols], y);
}

describe("expectedProduct", () => {
  test("explains a float32 product, and none that leaves out one sizeable term", () => {
    const sizes = fc.tuple(fc.nat(8), fc.nat(300), fc.nat(8), fc.nat(1000));
    fc.assert(
      fc.property(sizes, ([rows, depth, cols, seed]) => {
        const p = problem(rows + 1, depth + 1, cols + 1, seed);
        const expected = expectedProduct(p.weight, p.x);
        const y = product(p);
        expect(disagreement(y, expected)).toBeNull();
        const at = p.weight.data.findIndex((w) => Math.abs(w) > 0.5);
        if (at < 0) return;
        const [row, k] = [Math.floor(at / (depth + 1)), at % (depth + 1)];
        const col = p.x.data.subarray(k * (cols + 1), (k + 1) * (cols + 1)).findIndex((x) => Math.abs(x) > 0.5);
        if (col < 0) return;
        (y.data as Float32Array)[row * (cols + 1) + col]! -= p.weight.data[at]! * p.x.data[k * (cols + 1) + col]!;
        expect(disagreement(y, expected)).toContain(`row ${row}, column ${col}`);
      }),
    );
  });

  test("takes no NaN and no other shape", () => {
    const p = problem(2, 3, 4, 1);
    const expected = expectedProduct(p.weight, p.x);
    const y = product(p);
    (y.data as Float32Array)[5] = Number.NaN;
    expect(disagreement(y, expected)).toContain("row 1, column 1");
    expect(disagreement(Tensor.zeros("float32", [4, 2]), expected)).toContain("float32[4,2] instead of float32[2,4]");
  });
});

describe("outputsDiffer", () => {
  const y = (...values: number[]) => ({ y: Tensor.from("float32", [values.length], values) });
  test("allows 1e-3 of the largest value and no more", () => {
    expect(outputsDiffer(y(100.05, 1), y(100, 1.09))).toBeNull();
    expect(outputsDiffer(y(100, 1), y(100, 1.2))).toContain("2.00e-1");
    expect(outputsDiffer(y(Number.NaN), y(Number.NaN))).toBeNull();
    expect(outputsDiffer(y(Number.NaN), y(1))).toContain("Infinity");
    expect(outputsDiffer(y(0, 1), y(0))).toContain("[2]");
    expect(outputsDiffer({}, y(0))).toContain("'y'");
  });
});
