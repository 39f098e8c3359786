import { describe, expect, test } from "vitest";
import { randomSource } from "../../../test/support/random.js";
import { cholesky, solveFactored } from "./cholesky.js";
import { inverseOf, inverseOfLower, upperFactorOfInverse } from "./inverse.js";
import { multiplyAdd } from "./multiply.js";
import { block, reversed, transposed, type View, view } from "./view.js";

const numbers = (length: number, seed: number): Float64Array => {
  const random = randomSource(seed);
  return Float64Array.from({ length }, () => 2 * random() - 1);
};

const entry = ({ data, at, rowStep, colStep }: View, i: number, j: number): number =>
  data[at + i * rowStep + j * colStep]!;

/** A symmetric matrix with eigenvalues from about 1/100 upward. */
function definite(n: number, seed: number): Float64Array {
  const x = view(numbers(2 * n * n, seed), 2 * n, n);
  const matrix = new Float64Array(n * n);
  multiplyAdd(view(matrix, n, n), transposed(x), x, 1 / (2 * n));
  for (let i = 0; i < n; i++) matrix[i * (n + 1)]! += 0.01;
  return matrix;
}

/** The largest entry of A·B - 1. */
function distanceFromIdentity(a: View, b: View): number {
  const n = a.rows;
  const product = new Float64Array(n * n);
  for (let i = 0; i < n; i++) product[i * (n + 1)] = -1;
  multiplyAdd(view(product, n, n), a, b);
  return product.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

describe("multiplyAdd", () => {
  test.each([
    [1, 1, 1],
    [3, 5, 2],
    [4, 4, 256],
    [129, 9, 257],
    [5, 515, 300],
  ])("%i×%i over %i: plain, transposed, blocks, float32", (m, n, k) => {
    const a = view(numbers((m + 2) * (k + 1), 1), m + 2, k + 1);
    const b = view(Float32Array.from(numbers(n * k, 2)), n, k);
    const c = numbers(m * n, 3);
    const before = c.slice();
    const left = block(a, 1, m + 1, 1, k + 1);
    multiplyAdd(view(c, m, n), left, transposed(b), -0.5);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let t = 0; t < k; t++) sum += entry(left, i, t) * entry(b, j, t);
        expect(Math.abs(c[i * n + j]! - (before[i * n + j]! - 0.5 * sum))).toBeLessThanOrEqual((k + 2) * k * 2 ** -53);
      }
    }
  });

  test("lower: the same bits below the diagonal, nothing above", () => {
    const n = 300;
    const x = view(numbers(n * 70, 4), n, 70);
    const all = new Float64Array(n * n);
    const lower = new Float64Array(n * n);
    multiplyAdd(view(all, n, n), x, transposed(x));
    multiplyAdd(view(lower, n, n), x, transposed(x), 1, "lower");
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) expect(lower[i * n + j]).toBe(j <= i ? all[i * n + j] : 0);
  });

  test("no depth, no rows: nothing happens", () => {
    const c = Float64Array.of(1, 2);
    multiplyAdd(view(c, 1, 2), view(new Float64Array(0), 1, 0), view(new Float64Array(0), 0, 2));
    multiplyAdd(view(c, 0, 2), view(new Float64Array(0), 0, 3), view(new Float64Array(6), 3, 2));
    expect([...c]).toEqual([1, 2]);
  });
});

// Backward errors of these algorithms are a few n·2⁻⁵³ times the matrix; forward ones that times its condition number, here at most 300.
const tolerance = (n: number): number => 4 * n * 2 ** -53 * 300;

describe.each([1, 7, 64, 130, 321])("a definite matrix of %i", (n) => {
  const matrix = definite(n, n);

  test("Cholesky gives it back; above the diagonal nothing changes", () => {
    const factor = matrix.slice();
    expect(cholesky(view(factor, n, n))).toBe(true);
    const lower = factor.map((x, at) => (at % n <= Math.floor(at / n) ? x : 0));
    const product = matrix.map((x) => -x);
    multiplyAdd(view(product, n, n), view(lower, n, n), transposed(view(lower, n, n)));
    expect(product.every((x) => Math.abs(x) < 4 * n * 2 ** -53)).toBe(true);
    expect(factor.every((value, at) => at % n <= Math.floor(at / n) || value === matrix[at])).toBe(true);
    const x = numbers(n, 5);
    const right = new Float64Array(n);
    multiplyAdd(view(right, n, 1), view(matrix, n, n), view(x, n, 1));
    solveFactored(view(factor, n, n), right);
    expect(Math.max(...right.map((y, i) => Math.abs(y - x[i]!)))).toBeLessThan(tolerance(n));
  });

  test("the inverse of its factor, its inverse, and the factor of its inverse", () => {
    const factor = matrix.slice();
    cholesky(view(factor, n, n));
    const lower = factor.map((x, at) => (at % n <= Math.floor(at / n) ? x : 0));
    expect(distanceFromIdentity(view(lower, n, n), view(inverseOfLower(view(factor, n, n)), n, n))).toBeLessThan(
      tolerance(n),
    );
    const inverse = inverseOf(matrix, n)!;
    expect(distanceFromIdentity(view(matrix, n, n), view(inverse, n, n))).toBeLessThan(tolerance(n));
    const upper = view(upperFactorOfInverse(matrix, n)!, n, n);
    const product = new Float64Array(n * n);
    multiplyAdd(view(product, n, n), transposed(upper), upper);
    expect(distanceFromIdentity(view(matrix, n, n), view(product, n, n))).toBeLessThan(tolerance(n));
    expect(upper.data.every((value, at) => at % n >= Math.floor(at / n) || value === 0)).toBe(true);
    for (let i = 0; i < n; i++) expect(entry(upper, i, i)).toBeGreaterThan(0);
  });

  test("factored from the other end as well", () => {
    const factor = transposed(reversed(view(matrix.slice(), n, n)));
    expect(cholesky(factor)).toBe(true);
    expect(entry(factor, 0, 0)).toBeCloseTo(Math.sqrt(matrix.at(-1)!), 14);
  });
});

test("singular and indefinite matrices have no factor", () => {
  const x = view(numbers(20 * 50, 6), 20, 50);
  const gram = new Float64Array(50 * 50);
  multiplyAdd(view(gram, 50, 50), transposed(x), x);
  expect(inverseOf(gram, 50)).toBeNull();
  expect(upperFactorOfInverse(gram, 50)).toBeNull();
  expect(inverseOf(Float64Array.of(1, 2, 2, 1), 2)).toBeNull();
  expect(inverseOf(Float64Array.of(Number.NaN), 1)).toBeNull();
  expect(inverseOf(new Float64Array(0), 0)).toEqual(new Float64Array(0));
});
