import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonzeroError } from "../tensor/index.js";
import {
  BOTH_WAYS_ALGORITHMS,
  type BothWaysAlgorithm,
  maskOfTiles,
  selectBothWays,
  selectRows24,
  selectTiles,
} from "./both-ways.js";
import type { Matrix } from "./mask.js";
import { parsePattern } from "./parse.js";
import { boseNelson } from "./sorting-network.js";

const GOLDEN = "../shared/data/golden-pytorch/golden-pytorch.json";

const tile = (...rows: readonly number[][]): Matrix => ({
  rows: rows.length,
  cols: rows[0]!.length,
  data: Float32Array.from(rows.flat()),
});
const drawn = (matrix: Matrix, algorithm: BothWaysAlgorithm): string =>
  Array.from(selectBothWays(matrix, algorithm).data)
    .join("")
    .replace(/(.{4})(?=.)/g, "$1/");

/** Matrices of whole tiles with many equal values among them. */
const matrices = (special: readonly number[] = []): fc.Arbitrary<Matrix> =>
  fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }))
    .chain(([down, across]) =>
      fc
        .array(
          fc.oneof(
            fc.float({ noNaN: true, noDefaultInfinity: true }),
            fc.integer({ min: -3, max: 3 }),
            ...special.map((x) => fc.constant(x)),
          ),
          { minLength: 16 * down * across, maxLength: 16 * down * across },
        )
        .map((values) => ({ rows: 4 * down, cols: 4 * across, data: Float32Array.from(values) })),
    );

describe.each(BOTH_WAYS_ALGORITHMS)("%s", (algorithm) => {
  it("keeps at most two in each row and column of each tile, and 7 or 8 in all", () => {
    const special = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38];
    fc.assert(
      fc.property(matrices(special), (matrix) => {
        const tiles = selectTiles(matrix, algorithm);
        const counts = [...tiles].map((mask) => {
          const bits = Array.from({ length: 16 }, (_, i) => (mask >> i) & 1);
          for (let line = 0; line < 4; line++) {
            expect(bits.slice(4 * line, 4 * line + 4).reduce((a, b) => a + b)).toBeLessThanOrEqual(2);
            expect([0, 4, 8, 12].reduce((sum, row) => sum + bits[row + line]!, 0)).toBeLessThanOrEqual(2);
          }
          return bits.reduce((a, b) => a + b);
        });
        expect(counts.every((count) => count === 8 || (count === 7 && algorithm !== "best"))).toBe(true);
        const mask = selectBothWays(matrix, algorithm);
        expect(mask).toEqual(maskOfTiles(tiles, matrix.rows, matrix.cols));
        expect(parsePattern("2:4").violation(mask)).toBeNull();
      }),
    );
  });

  it("refuses what is not made of tiles", () => {
    for (const [rows, cols] of [
      [4, 6],
      [3, 4],
      [5, 5],
    ] as const) {
      const matrix = { rows, cols, data: new Float32Array(rows * cols) };
      expect(() => selectTiles(matrix, algorithm)).toThrow(
        new NonzeroError("shape", `a ${rows}×${cols} matrix is not made of 4×4 tiles`),
      );
    }
    expect(selectTiles({ rows: 0, cols: 8, data: new Float32Array() }, algorithm)).toEqual(new Uint16Array());
  });

  it("takes -0 for 0", () => {
    fc.assert(
      fc.property(matrices([0, -0]), (matrix) => {
        const plain = { ...matrix, data: matrix.data.map((x) => x + 0) };
        expect(selectTiles(matrix, algorithm)).toEqual(selectTiles(plain, algorithm));
      }),
    );
  });
});

describe("greedy", () => {
  it("keeps the masks of PyTorch's and xFormers' tests", () => {
    const published = tile([4, 3, 2, 1], [-1, -3, 0.6, 0.5], [1, 2, 3, 4], [10, 2, -1, 5]);
    expect(drawn(published, "largest_values_greedy")).toBe("1100/0110/0011/1001");
    expect(drawn(published, "largest_abs_values_greedy")).toBe("1100/0110/0011/1001");
    const seven = tile([2, -1, -2, -3], [-1, 8, -1, 6], [-1, -1, 4, 5], [-1, 3, 7, -1]);
    expect(drawn(seven, "largest_values_greedy")).toBe("1000/0101/0011/0110");
  });

  it("breaks ties as PyTorch's network does", () => {
    const ones = { rows: 4, cols: 4, data: new Float32Array(16).fill(1) };
    expect(drawn(ones, "largest_values_greedy")).toBe("1010/0110/1100/0001");
    expect(drawn({ ...ones, data: new Float32Array(16) }, "largest_abs_values_greedy")).toBe("1010/0110/1100/0001");
  });

  it("prefers large negative values by magnitude alone", () => {
    const negative = tile([-9, 1, 2, 3], [1, 2, 3, -9], [2, -9, 1, 3], [3, 2, -9, 1]);
    expect(drawn(negative, "largest_abs_values_greedy")).toMatch(/^1...\/...1\/.1..\/..1.$/);
    expect(drawn(negative, "largest_values_greedy")).toMatch(/^0...\/...0\/.0..\/..0.$/);
  });
});

describe("best", () => {
  /** All masks with exactly two in each row and column. */
  const masks = Array.from({ length: 2 ** 16 }, (_, mask) => mask).filter((mask) =>
    [0, 1, 2, 3].every((i) => ones((mask >> (4 * i)) & 0xf) === 2 && ones((mask >> i) & 0x1111) === 2),
  );
  const kept = (data: Float32Array, mask: number): number =>
    data.reduce((sum, x, i) => sum + ((mask >> i) & 1) * Math.abs(x), 0);

  it("keeps the largest sum of the 90, to the rounding of three float32 additions", () => {
    expect(masks.length).toBe(90);
    const tiles = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, max: 2 ** 100, min: -(2 ** 100) }), {
      minLength: 16,
      maxLength: 16,
    });
    fc.assert(
      fc.property(tiles, (values) => {
        const data = Float32Array.from(values);
        const [chosen] = selectTiles({ rows: 4, cols: 4, data }, "best");
        expect(masks).toContain(chosen);
        const most = Math.max(...masks.map((mask) => kept(data, mask)));
        // Either sum is off by 3 half units in the last place at most.
        expect(kept(data, chosen!)).toBeGreaterThanOrEqual(most * (1 - 6 * 2 ** -24));
      }),
    );
  });

  it("is exact for small integers, and no worse than greedy where that keeps eight too", () => {
    const tiles = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(tiles, (values) => {
        const matrix = { rows: 4, cols: 4, data: Float32Array.from(values) };
        const [chosen, greedy] = [
          selectTiles(matrix, "best")[0]!,
          selectTiles(matrix, "largest_abs_values_greedy")[0]!,
        ];
        expect(kept(matrix.data, chosen)).toBe(Math.max(...masks.map((mask) => kept(matrix.data, mask))));
        if (ones(greedy) === 8) expect(kept(matrix.data, chosen)).toBeGreaterThanOrEqual(kept(matrix.data, greedy));
      }),
    );
  });

  it("keeps the first of equal sums, and as many NaNs and infinities as it can", () => {
    expect(drawn({ rows: 4, cols: 4, data: new Float32Array(16) }, "best")).toBe("1100/1100/0011/0011");
    const wild = tile([Number.NaN, 1, 2, 3], [4, 5, Number.NEGATIVE_INFINITY, 6], [7, 8, 9, 10], [3e38, 1, 1, 1]);
    expect(drawn(wild, "best")).toMatch(/^1...\/..1.\/....\/1...$/);
  });
});

const ones = (bits: number): number => bits.toString(2).replaceAll("0", "").length;

describe("rows alone", () => {
  it("keep the two largest of each four", () => {
    const matrix = tile([4, 3, 2, 1, 1, 2, 3, 4], [-4, 3, -2, 1, 0, 0, 0, 0]);
    expect([...selectRows24(matrix, "largest_notranspose").data]).toEqual([
      ...[1, 1, 0, 0, 0, 0, 1, 1],
      ...[0, 1, 0, 1, 1, 0, 1, 0],
    ]);
    expect([...selectRows24(matrix, "largest_abs_notranspose").data.subarray(8, 12)]).toEqual([1, 1, 0, 0]);
    expect(() => selectRows24({ rows: 1, cols: 6, data: new Float32Array(6) }, "largest_notranspose")).toThrow(
      NonzeroError,
    );
  });

  it("choose what the pattern 2:4 does where nothing ties", () => {
    const rows = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(rows, (values) => {
        const matrix = { rows: 2, cols: 8, data: Float32Array.from(values) };
        expect(selectRows24(matrix, "largest_notranspose")).toEqual(parsePattern("2:4").select(matrix));
      }),
    );
  });
});

interface TileCase {
  readonly name: string;
  readonly tile: number[][];
  readonly [algorithm: string]: unknown;
}

describe.skipIf(!existsSync(GOLDEN))(`against PyTorch (${GOLDEN})`, () => {
  const golden = existsSync(GOLDEN) ? JSON.parse(readFileSync(GOLDEN, "utf8")) : {};

  it("has the same networks", () => {
    expect(boseNelson(16)).toEqual(golden.tile4x4.network16);
    expect(boseNelson(4)).toEqual(golden.tile4x4.network4);
  });

  it("keeps the same of every tile, ties included", () => {
    const cases = golden.tile4x4.cases as TileCase[];
    expect(cases.length).toBeGreaterThan(5);
    for (const one of cases) {
      const matrix = tile(...one.tile);
      for (const algorithm of ["largest_values_greedy", "largest_abs_values_greedy"] as const) {
        const kept = [...selectBothWays(matrix, algorithm).data];
        expect(kept, `${one.name} ${algorithm}`).toEqual((one[algorithm] as number[][]).flat());
      }
      for (const algorithm of ["largest_notranspose", "largest_abs_notranspose"] as const) {
        const kept = [...selectRows24(matrix, algorithm).data];
        expect(kept, `${one.name} ${algorithm}`).toEqual((one[algorithm] as number[][]).flat());
      }
    }
  });
});
