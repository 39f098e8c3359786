import fc from "fast-check";
import { expect, test } from "vitest";
import { roundHalfEven } from "./round.js";
import { erf, erfc, sigmoidOf, softplusOf } from "./special.js";

/** From the C library of Python's math module: x, erf(x), erfc(x). */
const KNOWN = [
  [0.1, 0.1124629160182849, 0.8875370839817152],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1, 0.8427007929497149, 0.15729920705028513],
  [1.9999, 0.9953201979070294, 0.004679802092970608],
  [2.0001, 0.9953243313041966, 0.0046756686958033394],
  [3, 0.9999779095030014, 2.2090496998585438e-5],
  [5, 0.9999999999984626, 1.5374597944280351e-12],
  [10, 1.0, 2.088487583762545e-45],
  [25, 1.0, 8.300172571196522e-274],
  [-1, -0.8427007929497149, 1.842700792949715],
  [-4, -0.9999999845827421, 1.999999984582742],
] as const;

test.each(KNOWN)("erf and erfc of %d", (x, erfOf, erfcOf) => {
  expect(Math.abs(erf(x) / erfOf - 1)).toBeLessThan(1e-14);
  expect(Math.abs(erfc(x) / erfcOf - 1)).toBeLessThan(1e-12);
});

test("erf is odd, bounded, and NaN of NaN", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (x) => {
      expect(erf(-x)).toBe(-erf(x));
      expect(Math.abs(erf(x))).toBeLessThanOrEqual(1);
      expect(Math.abs(erf(x) + erfc(x) - 1)).toBeLessThan(1e-15);
    }),
  );
  expect(erf(Number.NaN)).toBeNaN();
  expect(erfc(Number.NaN)).toBeNaN();
});

test("softplus and sigmoid do not overflow", () => {
  expect(softplusOf(1000)).toBe(1000);
  expect(softplusOf(-1000)).toBe(0);
  expect(softplusOf(0)).toBeCloseTo(Math.LN2, 15);
  expect(sigmoidOf(-1000)).toBe(0);
  expect(sigmoidOf(1000)).toBe(1);
});

test("roundHalfEven rounds halves to even and all else to the nearest", () => {
  expect([0.5, 1.5, 2.5, -0.5, -1.5, -2.5].map(roundHalfEven)).toEqual([0, 2, 2, -0, -2, -2]);
  fc.assert(
    fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (x) => {
      expect(Number.isInteger(roundHalfEven(x))).toBe(true);
      expect(Math.abs(roundHalfEven(x) - x)).toBeLessThanOrEqual(0.5);
    }),
  );
  expect(roundHalfEven(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  expect(roundHalfEven(Number.NaN)).toBeNaN();
});
