import { boseNelson, HALF_TILES, type HalfTiles } from "../../../../sparsity/index.js";
import type { Selection, SparsifyType } from "../../../specs/sparsify.js";
import { type Piece, type Wgsl, wgsl } from "../../wgsl/index.js";

/** The bits of infinity, above which a magnitude's are a NaN's. */
const INFINITY: Readonly<Record<SparsifyType, string>> = {
  float32: "0x7f800000u",
  float16: "0x7c00u",
  bfloat16: "0x7f80u",
};

/**
 * A function `keep(x: array<u32, 16>) -> u32`: what a tile keeps, bit 4 × row + column, of the elements' bits. Numbers are compared as integers, so
 * that no compiler may assume that there are no NaNs.
 */
export function keepFunction(selection: Exclude<Selection, "given">, dtype: SparsifyType): Piece {
  if (selection === "best") return keepBest(dtype);
  const magnitude = dtype === "float32" ? "x & 0x7fffffffu" : "x & 0x7fffu";
  const signed = wgsl`select(-i32(magnitude), i32(magnitude), (x >> ${dtype === "float32" ? 31 : 15}u) == 0u || magnitude > INFINITY)`;
  return [
    wgsl`
      const INFINITY = ${INFINITY[dtype]};
      fn key(x: u32) -> i32 {
        let magnitude = ${magnitude};
        return ${selection === "largest_values_greedy" ? signed : "i32(magnitude)"};
      }
      fn compare(low: ptr<function, vec2<i32>>, high: ptr<function, vec2<i32>>) {
        let a = *low;
        let b = *high;
        let ascending = a.x < b.x && b.x <= i32(INFINITY);
        *low = select(b, a, ascending);
        *high = select(a, b, ascending);
      }
      fn keep(x: array<u32, 16>) -> u32 {
        ${places((i) => wgsl`var e${i} = vec2<i32>(key(x[${i}]), ${i});`)}
        ${boseNelson(16).map(([low, high]) => wgsl`compare(&e${low}, &e${high});`)}
        var once = 0u;
        var twice = 0u;
        var mask = 0u;
        var place = 0u;
        var lines = 0u;
        ${places(
          (i) => wgsl`
            place = u32(e${15 - i}.y);
            lines = (1u << (place >> 2u)) | (16u << (place & 3u));
            if ((twice & lines) == 0u) {
              twice |= once & lines;
              once |= lines;
              mask |= 1u << place;
            }
          `,
        )}
        return mask;
      }
    `,
  ];
}

const places = (text: (place: number) => Wgsl): Piece => Array.from({ length: 16 }, (_, place) => text(place));

const MAGNITUDE: Readonly<Record<SparsifyType, string>> = {
  float32: "bitcast<f32>(min(x & 0x7fffffffu, LARGEST))",
  float16: "select(unpack2x16float(x & 0x7fffu).x, bitcast<f32>(LARGEST), (x & 0x7fffu) >= 0x7c00u)",
  bfloat16: "bitcast<f32>(min((x & 0x7fffu) << 16u, LARGEST))",
};

function keepBest(dtype: SparsifyType): Piece {
  const pairs = [0b0011, 0b0101, 0b1001, 0b0110, 0b1010, 0b1100];
  const first = (pair: number): number => 31 - Math.clz32(pair & -pair);
  const second = (pair: number): number => 31 - Math.clz32(pair);
  /** Sets sum_<name> and mask_<name> to the best way for two rows from `row` on. */
  const best = (name: string, row: number, { ways }: HalfTiles): Piece =>
    ways.map(([a, b], i) => {
      const sum = wgsl`s${row}_${a} + s${row + 1}_${b}`;
      const mask = wgsl`${(a | (b << 4)) << (4 * row)}u`;
      if (i === 0) return [wgsl`sum_${name} = ${sum};`, wgsl`mask_${name} = ${mask};`];
      return wgsl`
        if (${sum} > sum_${name}) {
          sum_${name} = ${sum};
          mask_${name} = ${mask};
        }
      `;
    });
  return wgsl`
    const LARGEST = 0x7d800000u;
    fn magnitude(x: u32) -> f32 {
      return ${MAGNITUDE[dtype]};
    }
    fn keep(x: array<u32, 16>) -> u32 {
      ${places((i) => wgsl`let m${i} = magnitude(x[${i}]);`)}
      ${[0, 1, 2, 3].map((row) =>
        pairs.map((pair) => wgsl`let s${row}_${pair} = m${4 * row + first(pair)} + m${4 * row + second(pair)};`),
      )}
      var sum_upper = 0.0f;
      var sum_lower = 0.0f;
      var mask_upper = 0u;
      var mask_lower = 0u;
      var most = -1.0f;
      var mask = 0u;
      ${HALF_TILES.map((half) => [
        best("upper", 0, half),
        best("lower", 2, HALF_TILES[half.complement]!),
        wgsl`
          if (sum_upper + sum_lower > most) {
            most = sum_upper + sum_lower;
            mask = mask_upper | mask_lower;
          }
        `,
      ])}
      return mask;
    }
  `;
}
