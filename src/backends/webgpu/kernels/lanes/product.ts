import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import type { ShaderCode } from "../../kernel.js";
import { input, output, type Piece, type Storage, shader, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { weightType, widen } from "../matmul/fill-weights.js";
import { finishText } from "../matmul/store.js";
import { LANES } from "./device.js";
import type { Columns, PackedWeights, TileRows } from "./weights.js";

/** Tokens of a workgroup. */
export const TOKENS = 32;

/** Tokens of a lane: sums enough to make up for what is loaded, not so many that they leave the registers for good. */
const vectorsOf = (rows: TileRows): number => (rows === 16 ? 4 : 8);

/** All that the text depends on. */
export interface ProductShader extends Pick<PackedWeights, "rows" | "columns" | "values"> {
  /** W lies in memory as `wOfRow` and `wOfK` say, a matrix to each of the batch; else packed. */
  readonly strided: boolean;
  /** Tokens are pixels, whose windows begin so many elements of x apart along two axes. */
  readonly windows: boolean;
  readonly epilogue: Epilogue;
  readonly scaled: boolean;
  /** K is a multiple of 4, and M: no four need be checked one by one. */
  readonly wholeK: boolean;
  readonly wholeM: boolean;
}

export const PRODUCT_UNIFORMS = {
  M: "u32",
  N: "u32",
  K: "u32",
  /** Steps of each tile that multiplies every k. */
  steps: "u32",
  /** Elements from one k, and one token, to the next in x; from one row, and one token, in y. */
  xOfK: "u32",
  xOfToken: "u32",
  /** With windows: pixels of a line, and elements of x from one line's windows to the next line's. */
  line: "u32",
  xOfLine: "u32",
  yOfRow: "u32",
  yOfToken: "u32",
  /** The batch's matrices are those of `heads` heads, of so many batch entries: from one entry, and one head, to the next. */
  heads: "u32",
  xBatch: "u32",
  xHead: "u32",
  yBatch: "u32",
  yHead: "u32",
  /** Where W is strided; `sharing` heads have one. */
  wOfRow: "u32",
  wOfK: "u32",
  wBatch: "u32",
  wHead: "u32",
  sharing: "u32",
} as const;
export type ProductUniform = keyof typeof PRODUCT_UNIFORMS;

const lanesOf = (name: string, lane: number): string => `subgroupBroadcast(${name}, ${lane}u)`;

/** Y = W · X, each lane some tokens: workgroups are [row tiles, token tiles, matrices of the batch]. */
export function productShader(spec: ProductShader): ShaderCode<string, ProductUniform> {
  const { rows, columns, values, strided, windows, epilogue, scaled, wholeK, wholeM } = spec;
  const listed = columns === "list" || columns === "runs";
  const vectors = vectorsOf(rows);
  const quads = rows / 4;
  const bindings: Record<string, Storage> = {
    w: input(strided ? "f32" : weightType({ kind: "columns", values, run: 1 })),
    ...(columns === "all" ? {} : { kept: input("u32") }),
    ...(listed ? { starts: input("u32") } : {}),
    x: input("f32"),
    ...(epilogue.bias ? { bias: input("f32") } : {}),
    ...(epilogue.residual ? { residual: input("f32") } : {}),
    ...(scaled ? { scales: input("f32") } : {}),
    y: output("f32"),
  };
  return shader<string, ProductUniform>({
    key: `lanes/product/${rows}/${columns}${strided ? "/strided" : ""}${windows ? "/windows" : ""}/${values}/${wholeK ? "" : "k~"}${wholeM ? "" : "m~"}/${epilogueKey(epilogue)}${scaled ? "*" : ""}`,
    workgroup: [TOKENS / vectors],
    subgroups: true,
    bindings,
    uniforms: PRODUCT_UNIFORMS,
    declarations: () => wgsl`
      fn place_of(token: u32) -> u32 {
        return ${windows ? "token / uniforms.line * uniforms.xOfLine + token % uniforms.line * uniforms.xOfToken" : "token * uniforms.xOfToken"};
      }
      ${finishText(epilogue, scaled)}
      ${storeFunction(spec)}
    `,
    body: (s) => wgsl`
      let own = ${s.subgroupLane};
      let row0 = ${s.group.x} * ${rows}u;
      let token0 = ${s.group.y} * ${TOKENS}u + ${s.lane} / ${LANES}u * ${LANES * vectors}u + own;
      let head = ${s.group.z} % uniforms.heads;
      let entry = ${s.group.z} / uniforms.heads;
      let x_base = entry * uniforms.xBatch + head * uniforms.xHead;
      let y_base = entry * uniforms.yBatch + head * uniforms.yHead;
      ${strided ? rowsText(wholeM) : []}
      ${unroll(vectors, (v) => wgsl`let x_at_${v} = x_base + place_of(min(token0 + ${LANES * v}u, uniforms.N - 1u));`)}
      ${unroll(quads, (q) => unroll(vectors, (v) => wgsl`var sum_${q}_${v} = vec4<f32>();`))}
      ${
        !listed
          ? wgsl`
              let first = ${s.group.x} * uniforms.steps;
              let end = first + uniforms.steps;
            `
          : wgsl`
              let first = starts[${s.group.x}];
              let end = starts[${s.group.x} + 1u];
            `
      }
      for (var step = first; step < end; step++) {
        ${columnsText(columns, wholeK)}
        ${unroll(quads, (j) => wgsl`let w_${j} = ${strided ? stridedText(j, wholeK) : widen(values, `w[step * ${rows}u + ${LANES * j}u + own]`)};`)}
        ${unroll(4, (c) => [
          unroll(vectors, (v) => wgsl`let x_${c}_${v} = x[x_at_${v} + column_${c}];`),
          unroll(quads, (q) => {
            const flat = c * quads + q;
            return wgsl`
              {
                let four = ${lanesOf(`w_${Math.floor(flat / LANES)}`, flat % LANES)};
                ${unroll(vectors, (v) => wgsl`sum_${q}_${v} += four * x_${c}_${v};`)}
              }
            `;
          }),
        ])}
      }
      ${storesText(spec, vectors)}
    `,
  });
}

/** `column_0` … `column_3`: where the k of a step are in x. */
function columnsText(columns: Columns, wholeK: boolean): Piece {
  if (columns === "list" || columns === "table") {
    const step = columns === "table" ? "(step - first)" : "step";
    return wgsl`
      let column = kept[${step} * ${LANES}u + own] * uniforms.xOfK;
      ${unroll(4, (c) => wgsl`let column_${c} = ${lanesOf("column", c)};`)}
    `;
  }
  return wgsl`
    let k = ${columns === "all" ? "4u * (step - first)" : "kept[step]"};
    ${unroll(4, (c) => wgsl`let column_${c} = ${wholeK ? `(k + ${c}u)` : `min(k + ${c}u, uniforms.K - 1u)`} * uniforms.xOfK;`)}
  `;
}

/** Where a lane's rows of a strided W begin: each lane loads four of a tile's sixteen. */
const rowsText = (wholeM: boolean): Piece => wgsl`
  let w_base = entry * uniforms.wBatch + head / uniforms.sharing * uniforms.wHead;
  ${unroll(4, (i) => wgsl`let w_row_${i} = w_base + ${wholeM ? `(min(row0 + 4u * own, uniforms.M - 4u) + ${i}u)` : `min(row0 + 4u * own + ${i}u, uniforms.M - 1u)`} * uniforms.wOfRow;`)}
`;

/** The lane's four rows of k number `j` of the step; none beyond the last k. */
function stridedText(j: number, wholeK: boolean): Wgsl {
  const column = `${wholeK ? `(k + ${j}u)` : `min(k + ${j}u, uniforms.K - 1u)`} * uniforms.wOfK`;
  const four = wgsl`vec4<f32>(${[0, 1, 2, 3].map((i) => `w[w_row_${i} + ${column}]`).join(", ")})`;
  return wholeK ? four : wgsl`select(vec4<f32>(), ${four}, k + ${j}u < uniforms.K)`;
}

/** `store`: four sums, of neighbouring rows. */
function storeFunction({ epilogue, scaled, wholeM }: ProductShader): Piece {
  const { bias, residual } = epilogue;
  const four = (array: string): Wgsl => {
    const places = unroll(4, (i) => wgsl`${array}[${wholeM ? `row + ${i}u` : `min(row + ${i}u, uniforms.M - 1u)`}]`);
    return wgsl`vec4<f32>(${places.map(String).join(", ")})`;
  };
  const guardedBy = (i: number, text: Piece): Piece =>
    wholeM ? text : wgsl`if (row + ${i}u < uniforms.M) { ${text} }`;
  const operands = [
    "sum",
    ...(scaled ? [four("scales").text] : []),
    ...(bias ? [four("bias").text] : []),
    ...(residual ? ["added"] : []),
  ];
  return wgsl`
    fn store(base: u32, row: u32, token: u32, sum: vec4<f32>) {
      if (token >= uniforms.N || row >= uniforms.M) { return; }
      let at = base + row * uniforms.yOfRow + token * uniforms.yOfToken;
      ${
        residual
          ? [
              "var added = vec4<f32>();",
              unroll(4, (i) => guardedBy(i, wgsl`added[${i}] = residual[at + ${i}u * uniforms.yOfRow];`)),
            ]
          : []
      }
      let four = finish(${operands.join(", ")});
      ${unroll(4, (i) => guardedBy(i, wgsl`y[at + ${i}u * uniforms.yOfRow] = four[${i}];`))}
    }
  `;
}

/** Stores all sums: one by one, or, where finishing is long, in a loop. */
function storesText({ rows, epilogue }: ProductShader, vectors: number): Piece {
  const quads = rows / 4;
  const sums = Array.from({ length: quads * vectors }, (_, i) => [i % quads, Math.floor(i / quads)] as const);
  if (epilogue.activation === "") {
    return sums.map(([q, v]) => wgsl`store(y_base, row0 + ${4 * q}u, token0 + ${LANES * v}u, sum_${q}_${v});`);
  }
  return wgsl`
    var sums = array<vec4<f32>, ${sums.length}>(${sums.map(([q, v]) => `sum_${q}_${v}`).join(", ")});
    for (var i = 0u; i < ${sums.length}u; i++) {
      store(y_base, row0 + 4u * (i % ${quads}u), token0 + ${LANES}u * (i / ${quads}u), sums[i]);
    }
  `;
}
