import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Mask } from "./mask.js";
import { parsePattern } from "./parse.js";
import { percentOf } from "./share.js";
import { tightestPattern } from "./tightest.js";

/** Pseudo-random scores in [0, 1) without structure (Mulberry32). */
function scores(rows: number, cols: number): { rows: number; cols: number; data: Float32Array } {
  let state = 12345;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { rows, cols, data: Float32Array.from({ length: rows * cols }, next) };
}

describe("tightestPattern", () => {
  it.each([
    "dense",
    "50%",
    "90%",
    "37.5%",
    "rows@25%",
    "cols@50%",
    "block:64x64@75%",
    "block:16x16@90%",
    "block:4x4@50%",
    "block:16x16@75%+2:4",
    "2:4",
    "1:4",
    "4:8",
    "2:8",
    "8:32",
    "4:2:4",
    "16:1:4",
    "2:2:8",
  ])("finds %s again", (text) => {
    const found = tightestPattern(parsePattern(text).select(scores(256, 320)));
    expect(found.violation(parsePattern(text).select(scores(256, 320)))).toBeNull();
    expect(found.kind).toBe(parsePattern(text).kind);
    expect(found.density).toBeCloseTo(parsePattern(text).density, 2);
    if (!text.includes("%")) expect(found.text).toBe(text);
  });

  it("still sees 2:4 when some kept weights are zero", () => {
    const mask = parsePattern("2:4").select(scores(64, 64));
    for (let i = 0; i < mask.data.length; i += 17) mask.data[i] = 0;
    expect(tightestPattern(mask).text).toBe("2:4");
  });

  it("does not take a row that happens to be empty for a rule", () => {
    const mask = parsePattern("20%").select(scores(64, 64));
    mask.data.fill(0, 0, 64);
    expect(tightestPattern(mask).kind).toBe("unstructured");
  });

  it("always names a pattern that the mask satisfies", () => {
    const masks: fc.Arbitrary<Mask> = fc
      .tuple(fc.nat(9), fc.nat(9))
      .chain(([rows, cols]) =>
        fc
          .array(fc.nat(1), { minLength: rows * cols, maxLength: rows * cols })
          .map((data) => ({ rows, cols, data: Uint8Array.from(data) })),
      );
    fc.assert(
      fc.property(masks, (mask) => {
        const pattern = tightestPattern(mask);
        expect(pattern.violation(mask)).toBeNull();
        expect(parsePattern(pattern.text).text).toBe(pattern.text);
      }),
    );
  });
});

describe("percentOf", () => {
  it("prunes exactly what it was made from", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50_000_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (count, share) => {
          const pruned = Math.floor(share * count);
          const percent = percentOf(pruned, count);
          expect(Math.floor(Number((BigInt(Math.round(percent * 1e6)) * BigInt(count)) / 100_000_000n))).toBe(pruned);
        },
      ),
    );
  });

  it("takes few decimals", () => {
    expect(percentOf(1, 4)).toBe(25);
    expect(percentOf(375, 1000)).toBe(37.5);
    expect(percentOf(7, 7)).toBe(100);
    expect(percentOf(0, 0)).toBe(0);
  });
});
