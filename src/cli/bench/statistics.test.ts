import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, pairedRatio, quantile } from "./statistics.js";

describe("quantile", () => {
  test("is linear between neighbours, whatever their order", () => {
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75); // numpy.quantile([4, 1, 3, 2], 0.25)
    expect(quantile([4, 1, 3, 2], 0)).toBe(1);
    expect(quantile([4, 1, 3, 2], 1)).toBe(4);
    expect(median([5, 1, 3])).toBe(3);
    expect(median([])).toBeNaN();
  });

  test("has as many values below as it says", () => {
    const samples = fc.array(fc.double({ min: 0, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const at = quantile(values, q);
        const below = values.filter((value) => value < at).length;
        const notAbove = values.filter((value) => value <= at).length;
        expect(below).toBeLessThanOrEqual(Math.ceil(q * (values.length - 1)));
        expect(notAbove).toBeGreaterThanOrEqual(Math.floor(q * (values.length - 1)));
      }),
    );
  });
});

describe("pairedRatio", () => {
  test("is above 1 where ours is faster, and not swayed by rounds that are slow for all", () => {
    const slowdown = [1, 1, 50, 1, 7, 3, 1];
    const ours = slowdown.map((factor) => 2 * factor);
    const theirs = slowdown.map((factor) => 5 * factor);
    expect(pairedRatio(ours, theirs)).toBe(2.5);
    expect(pairedRatio(theirs, ours)).toBe(0.4);
  });

  test("leaves out rounds that one of the two did not finish", () => {
    expect(pairedRatio([1, 1, 1], [2])).toBe(2);
    expect(pairedRatio([], [])).toBeNaN();
  });
});
