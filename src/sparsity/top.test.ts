import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keepLargest } from "./top.js";

/** Sorts by falling score, then by rising index. */
function expected(scores: ArrayLike<number>, keep: number): Uint8Array {
  const mask = new Uint8Array(scores.length);
  Array.from({ length: scores.length }, (_, i) => i)
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, Math.max(0, keep))
    .forEach((i) => {
      mask[i] = 1;
    });
  return mask;
}

describe("keepLargest", () => {
  it("agrees with a stable sort, with many ties and with few, for any range", () => {
    const value = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(-0),
    );
    fc.assert(
      fc.property(fc.array(value, { maxLength: 300 }), fc.nat(320), fc.nat(20), (values, keep, offset) => {
        const scores = Float64Array.of(...new Float64Array(offset).fill(1e300), ...values, 1e300);
        const mask = new Uint8Array(scores.length);
        keepLargest(scores, offset, offset + values.length, keep, mask);
        expect(mask.subarray(offset, offset + values.length)).toEqual(expected(values, keep));
        expect(mask.subarray(0, offset).every((bit) => bit === 0)).toBe(true);
        expect(mask.at(-1)).toBe(0);
      }),
    );
  });

  it("copies more scores than the scratch holds", () => {
    const scores = Float32Array.from({ length: 20000 }, (_, i) => (i * 7919) % 10007);
    const mask = new Uint8Array(20000);
    keepLargest(scores, 0, 20000, 6000, mask);
    expect(mask).toEqual(expected(scores, 6000));
  });

  it.each([
    ["sorted", (i: number) => i],
    ["reversed", (i: number) => -i],
    ["equal", () => 1],
    ["an organ pipe", (i: number) => Math.min(i, 50000 - i)],
    ["a median-of-three killer", (i: number) => (i % 2 === 0 ? i : 50000 + i)],
  ])("stays fast on %s scores", (_, score) => {
    const scores = Float32Array.from({ length: 50000 }, (_, i) => score(i));
    const mask = new Uint8Array(50000);
    keepLargest(scores, 0, 50000, 25000, mask);
    expect(mask).toEqual(expected(scores, 25000));
  });

  it("keeps infinities in order", () => {
    const scores = Float64Array.of(...new Float64Array(20).fill(-Infinity), ...new Float64Array(20).fill(Infinity), 0);
    const mask = new Uint8Array(41);
    keepLargest(scores, 0, 41, 21, mask);
    expect([...mask].map((bit, i) => (bit ? i : -1)).filter((i) => i >= 0)).toEqual([
      ...Array.from({ length: 21 }, (_, i) => i + 20),
    ]);
  });
});
