import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bfloat16ToNumber, float16ToNumber, numberToBfloat16, numberToFloat16 } from "./float16.js";

interface Format {
  readonly name: string;
  readonly decode: (bits: number) => number;
  readonly encode: (value: number) => number;
  readonly exponentBits: number;
  readonly fractionBits: number;
  readonly infinity: number;
}

const FORMATS: readonly Format[] = [
  {
    name: "float16",
    decode: float16ToNumber,
    encode: numberToFloat16,
    exponentBits: 5,
    fractionBits: 10,
    infinity: 0x7c00,
  },
  {
    name: "bfloat16",
    decode: bfloat16ToNumber,
    encode: numberToBfloat16,
    exponentBits: 8,
    fractionBits: 7,
    infinity: 0x7f80,
  },
];

describe.each(FORMATS)("$name", ({ decode, encode, exponentBits, fractionBits, infinity }) => {
  const bias = 2 ** (exponentBits - 1) - 1;

  /** The value of a pattern from its written-out bits, by the definition in IEEE 754. */
  const byDefinition = (bits: number): number => {
    const text = bits.toString(2).padStart(16, "0");
    const sign = text[0] === "1" ? -1 : 1;
    const exponent = Number.parseInt(text.slice(1, 1 + exponentBits), 2);
    const fraction = Number.parseInt(text.slice(1 + exponentBits), 2);
    if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
    const scale = 2 ** (Math.max(exponent, 1) - bias);
    return sign * scale * ((exponent === 0 ? 0 : 1) + fraction / 2 ** fractionBits);
  };

  it("decodes all 65536 patterns by the definition", () => {
    for (let bits = 0; bits < 65536; bits++) {
      if (!Object.is(decode(bits), byDefinition(bits)))
        expect([bits, decode(bits)]).toEqual([bits, byDefinition(bits)]);
    }
  });

  it("encodes each of its numbers as itself, and any NaN as a quiet one", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = decode(bits);
      const again = encode(value);
      if (Number.isNaN(value)) {
        if (!Number.isNaN(decode(again))) expect(again).toBe("a NaN");
      } else if (again !== bits) expect(again).toBe(bits);
    }
  });

  it("rounds everything between two neighbours to the nearer, and the middle to the even one", () => {
    for (let bits = 0; bits < infinity; bits++) {
      const low = byDefinition(bits);
      // beyond the largest number the next step would be the power of two that infinity stands for
      const high = bits + 1 === infinity ? 2 ** (bias + 1) : byDefinition(bits + 1);
      const middle = (low + high) / 2; // exact as a double, and as a float32 for bfloat16
      const step = Math.max(middle * 2 ** -23, 2 ** -149); // a float32 can tell middle ± step apart
      const even = bits % 2 === 0 ? bits : bits + 1;
      const got = [encode(middle - step), encode(middle), encode(middle + step)];
      if (got[0] !== bits || got[1] !== even || got[2] !== bits + 1) expect(got).toEqual([bits, even, bits + 1]);
      const negative = [encode(step - middle), encode(-middle), encode(-middle - step)].map((x) => x & 0x7fff);
      if (negative.some((x, i) => x !== got[i])) expect(negative).toEqual(got);
    }
  });

  it("keeps signs of zeros, infinities and NaN, and overflows to infinity", () => {
    expect([encode(0), encode(-0)]).toEqual([0, 0x8000]);
    expect([encode(Infinity), encode(-Infinity)]).toEqual([infinity, 0x8000 | infinity]);
    expect([encode(1e39), encode(-1e39)]).toEqual([infinity, 0x8000 | infinity]);
    expect(encode(Number.NaN) & infinity).toBe(infinity);
    expect(encode(Number.NaN) & ~infinity & 0x7fff).not.toBe(0);
    expect(encode(2 ** -160)).toBe(0);
  });
});

describe("numberToFloat16", () => {
  it("rounds doubles once, to a neighbour that none is nearer than", () => {
    const doubles = fc.oneof(
      fc.double({ min: -70000, max: 70000, noNaN: true }),
      fc.double({ min: -(2 ** -13), max: 2 ** -13, noNaN: true }),
    );
    fc.assert(
      fc.property(doubles, (value) => {
        const bits = numberToFloat16(value);
        const distance = (b: number): number => {
          const magnitude = (b & 0x7fff) === 0x7c00 ? 65536 : float16ToNumber(b & 0x7fff);
          return Math.abs(magnitude - Math.abs(value));
        };
        if ((bits & 0x7fff) === 0x7c00) expect(Math.abs(value)).toBeGreaterThanOrEqual(65520);
        for (const neighbour of [bits - 1, bits + 1]) {
          if ((neighbour & 0x7fff) > 0x7c00 || (neighbour & 0x8000) !== (bits & 0x8000)) continue;
          if ((bits & 0x7fff) === 0x7c00 && Math.abs(value) > 65536) continue;
          expect(distance(bits)).toBeLessThanOrEqual(distance(neighbour));
        }
      }),
      { numRuns: 2000 },
    );
    // a double just above the middle of two float16, which float32 would first round to the middle
    expect(numberToFloat16(1 + 2 ** -11 + 2 ** -40)).toBe(0x3c01);
  });
});
