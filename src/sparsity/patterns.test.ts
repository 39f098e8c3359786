import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonzeroError } from "../tensor/index.js";
import { applyMask, countNonzeros, type Mask, type Matrix, maskOf, sparsityOf } from "./mask.js";
import { parsePattern } from "./parse.js";

const PATTERNS = [
  "dense",
  "0%",
  "50%",
  "33.3%",
  "100%",
  "50%/row",
  "2:4",
  "1:3",
  "3:3",
  "5:12",
  "2:2:4",
  "4:1:2",
  "block:2x2@50%",
  "block:1x3@60%",
  "block:2x4@40%+2:4",
  "block:3x2@70%+1:2",
  "block:2x1:1:2",
  "block:2x2:1:2",
  "rows@40%",
  "cols@50%",
  "shuffled-block:2x2@50%",
  "shuffled-block:3x1@70%",
];

/** Patterns whose choice is a heuristic. */
const heuristic = (text: string): boolean => text.startsWith("shuffled-block");

const matrix = (rows: number, cols: number, data: ArrayLike<number>): Matrix => ({
  rows,
  cols,
  data: Float32Array.from(data),
});
const kept = (text: string, rows: number, cols: number, scores: ArrayLike<number>): number[] => [
  ...parsePattern(text).select(matrix(rows, cols, scores)).data,
];

const matrices = (side: number, value: fc.Arbitrary<number>): fc.Arbitrary<Matrix> =>
  fc
    .tuple(fc.nat(side), fc.nat(side))
    .chain(([rows, cols]) =>
      fc.array(value, { minLength: rows * cols, maxLength: rows * cols }).map((data) => matrix(rows, cols, data)),
    );

const scoreKept = (scores: Matrix, mask: Mask): number =>
  scores.data.reduce((sum, score, i) => (mask.data[i] !== 0 ? sum + score : sum), 0);

describe.each(PATTERNS)("pattern %s", (text) => {
  const pattern = parsePattern(text);

  it("reads its own text back", () => {
    expect(pattern.text).toBe(text);
    expect(parsePattern(pattern.text).text).toBe(text);
    expect(parsePattern(pattern.text).kind).toBe(pattern.kind);
  });

  it("selects masks of the scores' shape that satisfy its own rule, the same each time", () => {
    fc.assert(
      fc.property(matrices(11, fc.float({ noNaN: true, min: -8, max: 8 })), (scores) => {
        const mask = pattern.select(scores);
        expect(mask).toMatchObject({ rows: scores.rows, cols: scores.cols });
        expect(mask.data.every((bit) => bit <= 1)).toBe(true);
        expect(pattern.violation(mask)).toBeNull();
        expect(pattern.select(scores)).toEqual(mask);
      }),
    );
  });

  it("keeps its density on a shape that it divides", () => {
    const scores = matrix(
      120,
      120,
      Float32Array.from({ length: 14400 }, (_, i) => (i * 7919) % 1009),
    );
    if (text === "33.3%") return expect(sparsityOf(pattern.select(scores))).toBeCloseTo(0.333, 4);
    expect(countNonzeros(pattern.select(scores)) / 14400).toBeCloseTo(pattern.density, 10);
  });

  it("is as good as any mask that satisfies it (every mask of tiny matrices)", () => {
    if (heuristic(text)) return;
    fc.assert(
      fc.property(
        fc.constantFrom([2, 4], [3, 3], [4, 2], [1, 9], [2, 5], [0, 3], [5, 2]),
        fc.array(fc.nat(6), { minLength: 10, maxLength: 10 }),
        ([rows, cols], values) => {
          const size = rows! * cols!;
          const scores = matrix(rows!, cols!, values.slice(0, size));
          let best = 0;
          for (let bits = 0; bits < 1 << size; bits++) {
            const mask: Mask = {
              rows: rows!,
              cols: cols!,
              data: Uint8Array.from({ length: size }, (_, i) => (bits >> i) & 1),
            };
            const score = scoreKept(scores, mask);
            if (score > best && pattern.violation(mask) === null) best = score;
          }
          expect(scoreKept(scores, pattern.select(scores))).toBe(best);
        },
      ),
      { numRuns: 12 },
    );
  });

  it("names a place inside the matrix and a reason when one entry too many is kept", () => {
    fc.assert(
      fc.property(matrices(9, fc.float({ noNaN: true, min: 0, max: 8 })), fc.nat(), (scores, seed) => {
        const mask = pattern.select(scores);
        const pruned = [...mask.data.keys()].filter((i) => mask.data[i] === 0);
        if (pruned.length === 0 || heuristic(text)) return;
        mask.data[pruned[seed % pruned.length]!] = 1;
        // select keeps as much as is allowed, so one more entry always breaks a rule
        const violation = pattern.violation(mask);
        expect(violation).not.toBeNull();
        expect(violation!.row).toBeGreaterThanOrEqual(0);
        expect(violation!.row).toBeLessThan(scores.rows);
        expect(violation!.col).toBeGreaterThanOrEqual(0);
        expect(violation!.col).toBeLessThan(scores.cols);
        expect(violation!.reason).toMatch(/\d/);
      }),
    );
  });

  it("accepts masks that keep less", () => {
    fc.assert(
      fc.property(matrices(9, fc.float({ noNaN: true, min: 0, max: 8 })), fc.nat(), (scores, seed) => {
        const mask = pattern.select(scores);
        if (mask.data.length > 0 && !heuristic(text)) mask.data[seed % mask.data.length] = 0;
        else mask.data.fill(0);
        expect(pattern.violation(mask)).toBeNull();
      }),
    );
  });

  it("refuses NaN scores and short data", () => {
    expect(() => pattern.select(matrix(2, 2, [1, 2, Number.NaN, 4]))).toThrow(/row 1, column 0 is NaN/);
    expect(() => pattern.select(matrix(2, 2, [1, 2, 3]))).toThrow(NonzeroError);
  });

  it("takes infinite scores", () => {
    const scores = matrix(4, 4, new Float32Array(16).fill(Number.POSITIVE_INFINITY));
    expect(pattern.violation(pattern.select(scores))).toBeNull();
  });
});

describe("ties", () => {
  it.each(["50%", "33.3%", "50%/row", "2:4", "1:3", "5:12"])("%s keeps the entry that comes first", (text) => {
    const pattern = parsePattern(text);
    fc.assert(
      fc.property(matrices(12, fc.integer({ min: -2, max: 2 })), (scores) => {
        // the same scores with a falling bonus too small to overtake anything but a tie
        const data = scores.data.map((score, i) => score + (scores.data.length - i) * 2 ** -12);
        expect(pattern.select(scores)).toEqual(pattern.select({ ...scores, data }));
      }),
    );
  });

  it.each([
    ["block:1x2@50%", [1, 1, 1, 1, 0, 0, 0, 0]],
    ["block:2x2@50%", [1, 1, 0, 0, 1, 1, 0, 0]],
    ["block:2x1:1:2", [1, 0, 1, 0, 1, 0, 1, 0]],
    ["2:2:4", [1, 1, 0, 0, 1, 1, 0, 0]],
    ["rows@50%", [1, 1, 1, 1, 0, 0, 0, 0]],
    ["cols@50%", [1, 1, 0, 0, 1, 1, 0, 0]],
    ["shuffled-block:1x2@50%", [1, 1, 1, 1, 0, 0, 0, 0]],
  ])("%s keeps the group that comes first", (text, expected) => {
    expect(kept(text, 2, 4, new Float32Array(8).fill(3))).toEqual(expected);
  });

  it("-0 ties with 0", () => expect(kept("50%", 1, 4, [-0, 0, 0, -0])).toEqual([1, 1, 0, 0]));
});

describe("what the rules say of shapes that they do not divide", () => {
  it("n:m keeps ceil(n × r / m) of the last r", () => {
    expect(kept("2:4", 1, 5, [1, 2, 3, 4, 5])).toEqual([0, 0, 1, 1, 1]);
    expect(kept("2:4", 1, 6, [1, 2, 3, 4, 5, 6])).toEqual([0, 0, 1, 1, 0, 1]);
    expect(kept("2:4", 1, 7, [1, 2, 3, 4, 5, 6, 7])).toEqual([0, 0, 1, 1, 0, 1, 1]);
  });

  it("shares prune the whole entries that they reach", () => {
    expect(countNonzeros(parsePattern("50%").select(matrix(1, 5, [1, 2, 3, 4, 5])))).toBe(3);
    expect(countNonzeros(parsePattern("29%").select(matrix(10, 10, new Float32Array(100))))).toBe(71);
    expect(countNonzeros(parsePattern("57.3%").select(matrix(10, 100, new Float32Array(1000))))).toBe(427);
  });

  it("a last band of fewer rows shares among what it has", () => {
    expect(kept("2:1:2", 3, 2, [5, 0, 0, 1, 1, 2])).toEqual([1, 0, 1, 0, 0, 1]);
  });

  it("blocks at the edge count as blocks and score what they have", () => {
    expect(kept("block:2x2@75%", 3, 3, [1, 1, 1, 1, 1, 1, 1, 1, 5])).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });
});

describe("block with n:m inside", () => {
  it("scores a block by what n:m leaves of it", () => {
    // the left block has the higher sum, the right one the higher sum of two in four
    expect(kept("block:1x4@50%+2:4", 1, 8, [5, 5, 5, 5, 6, 6, 0, 0])).toEqual([0, 0, 0, 0, 1, 1, 0, 0]);
  });

  it("needs groups that divide the blocks", () => {
    expect(() => parsePattern("block:16x6@50%+2:4")).toThrow(/do not divide/);
  });
});

describe("shuffled-block", () => {
  it("brings alike rows together, where plain blocks cannot", () => {
    const a = [9, 9, 0, 0];
    const b = [0, 0, 9, 9];
    const scores = [...a, ...b, ...b, ...a];
    expect(kept("shuffled-block:2x2@50%", 4, 4, scores)).toEqual(scores.map((score) => (score > 0 ? 1 : 0)));
    expect(parsePattern("block:2x2@50%").violation(maskOf(matrix(4, 4, scores)))).not.toBeNull();
  });

  it("refuses a mask whose rows all differ", () => {
    const diagonal = { rows: 4, cols: 4, data: Uint8Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1) };
    expect(parsePattern("shuffled-block:2x1@75%").violation(diagonal)).not.toBeNull();
    expect(parsePattern("shuffled-block:2x1@50%").violation(diagonal)).toBeNull();
  });

  it("keeps at least as much as blocks in the given order on rows dealt out in turn", () => {
    const scores = matrix(
      32,
      32,
      Array.from({ length: 1024 }, (_, i) => ((i % 32) % 4 === (i >> 5) % 4 ? 5 : 1)),
    );
    const shuffled = parsePattern("shuffled-block:8x1@75%").select(scores);
    expect(scoreKept(scores, shuffled)).toBe(256 * 5);
  });
});

describe("parsePattern", () => {
  it.each([
    ["unstructured@50%", "50%"],
    ["unstructured@50%/row", "50%/row"],
    ["50.50%", "50.5%"],
    ["007%", "7%"],
    ["0.000001%", "0.000001%"],
  ])("reads '%s' as '%s'", (text, canonical) => expect(parsePattern(text).text).toBe(canonical));

  it("gives back any text that it made", () => {
    const percent = fc.nat(100_000_000).map((micro) => `${micro / 1e6}%`);
    const size = fc.integer({ min: 1, max: 4096 });
    const group = fc
      .tuple(size, fc.integer({ min: 2, max: 4096 }))
      .map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`);
    const texts = fc.oneof(
      percent,
      percent.map((p) => `${p}/row`),
      group,
      fc.tuple(size, group).map(([v, g]) => `${v}:${g}`),
      fc.tuple(size, size, percent).map(([r, c, p]) => `block:${r}x${c}@${p}`),
      fc.tuple(size, size, group).map(([r, c, g]) => `block:${r}x${c}:${g}`),
      fc.tuple(size, size, percent).map(([r, c, p]) => `shuffled-block:${r}x${c}@${p}`),
      fc.tuple(fc.constantFrom("rows", "cols"), percent).map(([kind, p]) => `${kind}@${p}`),
    );
    fc.assert(
      fc.property(texts, (text) => {
        fc.pre(!text.includes("e"));
        expect(parsePattern(text).text).toBe(text);
      }),
    );
  });

  it.each([
    "",
    "50",
    "101%",
    "-1%",
    "50 %",
    "1e1%",
    "0.0000001%",
    "4:2",
    "0:4",
    "1:1",
    "2:5000",
    "0:2:4",
    "1:2:3:4",
    "block",
    "block:16@50%",
    "block:0x4@50%",
    "block:4x4@50%+3:2",
    "block:4x4",
    "rows",
    "rows@50",
    "2:4 ",
    "Dense",
  ])("refuses '%s'", (text) => {
    expect(() => parsePattern(text)).toThrow(NonzeroError);
  });
});

describe("masks of matrices", () => {
  it("count NaN as nonzero and -0 as zero", () => {
    expect(maskOf(matrix(1, 4, [0, -0, Number.NaN, 1])).data).toEqual(Uint8Array.of(0, 0, 1, 1));
    expect(sparsityOf(matrix(1, 4, [0, -0, Number.NaN, 1]))).toBe(0.5);
    expect(sparsityOf(matrix(0, 4, []))).toBe(0);
  });

  it("applyMask clears what the mask prunes, and checks shapes", () => {
    const mask = { rows: 1, cols: 3, data: Uint8Array.of(1, 0, 1) };
    expect([...applyMask(matrix(1, 3, [-0, Number.NaN, 2]), mask).data]).toEqual([-0, 0, 2]);
    expect(() => applyMask(matrix(3, 1, [1, 2, 3]), mask)).toThrow(NonzeroError);
  });
});
