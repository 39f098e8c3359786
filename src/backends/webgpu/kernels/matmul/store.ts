import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import { f32, type Piece, type Wgsl, wgsl } from "../../wgsl/index.js";
import { activation, mathFunctions } from "../math.js";
import { guarded } from "./fill-matrix.js";
import type { TileShader } from "./tile.js";
import type { Tile } from "./tiling.js";

export { epilogueKey };

/** `finish`: y = act(alpha · scale · sum + beta · bias [+ residual]) [+ residual], of four sums. */
export function finishText(epilogue: Epilogue, scaled: boolean): Wgsl {
  const { alpha = 1, beta = 1, bias, activation: name, params, residual } = epilogue;
  const parameters = ["sum", ...operandsOf(epilogue, scaled)].map((name) => `${name}: vec4<f32>`).join(", ");
  return wgsl`
    ${name === "" ? [] : mathFunctions("vec4<f32>")}
    fn finish(${parameters}) -> vec4<f32> {
      var v = sum${scaled ? " * scale" : ""}${alpha === 1 ? "" : wgsl` * ${f32(alpha)}`};
      ${bias ? wgsl`v += bias${beta === 1 ? "" : wgsl` * ${f32(beta)}`};` : []}
      ${residual === "before" ? "v += residual;" : []}
      ${name === "" ? [] : wgsl`v = ${activation(name, params, "v", "vec4<f32>")!};`}
      ${residual === "after" ? "v += residual;" : []}
      return v;
    }
  `;
}

const operandsOf = ({ bias, residual }: Epilogue, scaled: boolean): ("scale" | "bias" | "residual")[] => [
  ...(scaled ? (["scale"] as const) : []),
  ...(bias ? (["bias"] as const) : []),
  ...(residual ? (["residual"] as const) : []),
];

/** The call of `finish` on `sum`, whose operands are read as `read` says. */
const finished = ({ epilogue, scaled }: TileShader, sum: string, read: (name: string) => string): string =>
  `finish(${[sum, ...operandsOf(epilogue, scaled).map(read)].join(", ")})`;

/** Names of the arrays that hold a row's operands. */
const ARRAYS: Readonly<Record<string, string>> = { scale: "scales", bias: "bias", residual: "residual" };

/**
 * `finish` and `store`, which finishes and stores four sums, of neighbouring rows where y is token-major, of neighbouring tokens otherwise. Where W is
 * shuffled, `to` is y's row for a row of W, and `place` where that is.
 */
export function storeText(spec: TileShader): Piece {
  const { yVector, yOrder, epilogue, scaled, shuffled } = spec;
  const tokenMajor = yOrder === "token-major";
  const operand = (name: string, row: string, place: string): string =>
    name === "residual" ? `residual[${place}]` : `${ARRAYS[name]}[${row}]`;
  const [to, place] = shuffled ? ["to", "place"] : ["row", "at"];
  const unshuffle = !shuffled
    ? []
    : tokenMajor
      ? wgsl`
          let to = order[row + i];
          let place = at + to - row;
        `
      : wgsl`
          let to = order[row];
          let place = at + (to - row) * (uniforms.yStride${yVector ? " / 4u" : ""});
        `;
  // Where rows are scattered, "place" is a sum's own.
  const [own, element] =
    tokenMajor && shuffled ? ["to", "place"] : [`${to}${tokenMajor ? " + i" : ""}`, `${place} + i`];
  const body = yVector
    ? guarded(
        spec.whole ? null : wgsl`row < uniforms.M && token < uniforms.N`,
        wgsl`
          ${unshuffle}
          y[${place}] = ${finished(spec, "sum", (name) => {
            if (name === "residual" || !tokenMajor)
              return name === "residual" ? operand(name, to!, place!) : `vec4<f32>(${operand(name, to!, place!)})`;
            return operand(name, "row / 4u", place!);
          })};
        `,
      )
    : wgsl`
        for (var i = 0u; i < 4u; i++) {
          if (${tokenMajor ? "row + i < uniforms.M && token < uniforms.N" : "row < uniforms.M && token + i < uniforms.N"}) {
            ${unshuffle}
            y[${element}] = ${finished(
              spec,
              "vec4<f32>(sum[i])",
              (name) => `vec4<f32>(${operand(name, own, element)})`,
            )}.x;
          }
        }
      `;
  return wgsl`
    ${finishText(epilogue, scaled)}
    fn store(row: u32, token: u32, at: u32, sum: vec4<f32>) {
      ${body}
    }
  `;
}

/** Calls `store` for all of the thread's sums: one by one, or in a loop where the tile is rolled. */
export function storeTile({ tile, yOrder, yVector, batched }: TileShader, lanes: number): Piece {
  const { threadRows, threadVectors, rolled } = tile;
  const tokenMajor = yOrder === "token-major";
  const divided = yVector ? " / 4u" : "";
  const base = batched ? " + y_base" : "";
  const before = wgsl`
    let row = row0 + row_group * ${threadRows}u;
    let token = token0 + 4u * column;
    let y_pitch = uniforms.yStride${divided};
    let y_at = ${tokenMajor ? `token * y_pitch + (row${base})` : `row * y_pitch + (token${base})`}${divided};
  `;
  const stores = tokenMajor ? storesOfTokens(tile, lanes) : storesOfRows(tile, lanes);
  const call = ({ row, token }: Pick<Store, "row" | "token">, sum: string): string => {
    const [outer, inner] = tokenMajor ? [token, row] : [row, token];
    const along = typeof inner === "number" ? `${yVector ? inner / 4 : inner}u` : `(${inner})${divided}`;
    return `store(row + ${of(row)}, token + ${of(token)}, y_at + ${of(outer)} * y_pitch + ${along}, ${sum});`;
  };
  if (!rolled) return [before, stores.map((each) => call(each, each.sum))];
  const [rows, tokens] = tokenMajor
    ? [`4u * (i % ${threadRows / 4}u)`, `(i / ${threadRows}u * ${4 * lanes}u + i / ${threadRows / 4}u % 4u)`]
    : [`(i / ${threadVectors}u)`, `i % ${threadVectors}u * ${4 * lanes}u`];
  return [
    before,
    wgsl`
      var sums = array<vec4<f32>, ${stores.length}>(
        ${stores.map(({ sum }) => `${sum},`)}
      );
      for (var i = 0u; i < ${stores.length}u; i++) {
        ${call({ row: rows, token: tokens }, "sums[i]")}
      }
    `,
  ];
}

const of = (offset: number | string): string => (typeof offset === "number" ? `${offset}u` : offset);

/** Four sums, and where they go from the thread's first row and token on. */
interface Store {
  readonly row: number | string;
  readonly token: number | string;
  readonly sum: string;
}

function storesOfRows({ threadRows, threadVectors }: Tile, lanes: number): Store[] {
  return Array.from({ length: threadRows * threadVectors }, (_, i) => {
    const [row, v] = [Math.floor(i / threadVectors), i % threadVectors];
    return { row, token: 4 * v * lanes, sum: `sum_${row}_${v}` };
  });
}

function storesOfTokens({ threadRows, threadVectors }: Tile, lanes: number): Store[] {
  return Array.from({ length: threadRows * threadVectors }, (_, i) => {
    const [row, c, v] = [4 * (i % (threadRows / 4)), Math.floor((4 * i) / threadRows) % 4, Math.floor(i / threadRows)];
    const sums = [0, 1, 2, 3].map((r) => `sum_${row + r}_${v}.${"xyzw"[c]!}`).join(", ");
    return { row, token: 4 * v * lanes + c, sum: `vec4<f32>(${sums})` };
  });
}
