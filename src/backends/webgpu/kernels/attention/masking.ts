import type { AttentionSpec } from "../../../specs/attention.js";
import { input, type Piece, type Storage, type UniformType, wgsl } from "../../wgsl/index.js";

/** All that the text of the attention shaders depends on, beside their tiles. */
export interface AttentionCode {
  readonly mask: "none" | "float32" | "bool";
  /** Sizes and steps of q, k and v are multiples of 4: they and y are arrays of vectors. */
  readonly vectors: boolean;
}

export const codeKey = ({ mask, vectors }: AttentionCode): string => `${mask}${vectors ? "/4" : ""}`;

/** Steps are in elements. */
export const ATTENTION_UNIFORMS = {
  /** Workgroups of all batch entries, heads, blocks of queries and parts of the values. */
  items: "u32",
  blocks: "u32",
  parts: "u32",
  heads: "u32",
  /** Heads of queries to each head of keys. */
  sharing: "u32",
  queries: "u32",
  /** Keys that are not hidden by being beyond the mask. */
  keys: "u32",
  headSize: "u32",
  valueSize: "u32",
  qBatch: "u32",
  qHead: "u32",
  qRow: "u32",
  kBatch: "u32",
  kHead: "u32",
  kRow: "u32",
  vBatch: "u32",
  vHead: "u32",
  vRow: "u32",
  yBatch: "u32",
  yHead: "u32",
  yRow: "u32",
  maskBatch: "u32",
  maskHead: "u32",
  maskQuery: "u32",
  maskKey: "u32",
  /** Query i sees keys up to i + position. */
  position: "i32",
  scale: "f32",
} as const satisfies Record<string, UniformType>;
export type AttentionUniform = keyof typeof ATTENTION_UNIFORMS;

export const elementOf = ({ vectors }: AttentionCode) => (vectors ? ("vec4<f32>" as const) : ("f32" as const));

/** q, k, v and the mask. */
export const attentionInputs = (code: AttentionCode): Record<string, Storage> => ({
  q: input(elementOf(code)),
  k: input(elementOf(code)),
  v: input(elementOf(code)),
  ...(code.mask === "none" ? {} : { mask: input(code.mask === "bool" ? "u32" : "f32") }),
});

/**
 * The functions `load_q`, `load_k`, `load_v`: (first element of the row, column, columns of the row) to four columns, zeros beyond the last.
 */
export const loadFunctions = ({ vectors }: AttentionCode): Piece =>
  ["q", "k", "v"].map(
    (name) => wgsl`
      fn load_${name}(row: u32, column: u32, size: u32) -> vec4<f32> {
        ${
          vectors
            ? wgsl`
                if (column >= size) { return vec4<f32>(); }
                return ${name}[(row + column) >> 2u];
              `
            : wgsl`
                var four: vec4<f32>;
                for (var i = 0u; i < 4u; i++) {
                  if (column + i < size) { four[i] = ${name}[row + column + i]; }
                }
                return four;
              `
        }
      }
    `,
  );

/** The workgroup's number taken apart: part, first query (in blocks of `rows`), batch entry and head, where their rows begin. */
export const itemText = (groupIndex: Piece, rows: number): Piece => wgsl`
  if (${groupIndex} >= uniforms.items) { return; }
  let part = ${groupIndex} % uniforms.parts;
  let block = (${groupIndex} / uniforms.parts) % uniforms.blocks;
  let both = ${groupIndex} / (uniforms.parts * uniforms.blocks);
  let head = both % uniforms.heads;
  let batch = both / uniforms.heads;
  let kv_head = head / uniforms.sharing;
  let first = block * ${rows}u;
  let q_at = batch * uniforms.qBatch + head * uniforms.qHead;
  let k_at = batch * uniforms.kBatch + kv_head * uniforms.kHead;
  let v_at = batch * uniforms.vBatch + kv_head * uniforms.vHead;
  let y_at = batch * uniforms.yBatch + head * uniforms.yHead;
`;

/** `seen`: keys that the last of the `rows` queries sees, at most. */
export const seenText = (rows: number): Piece =>
  wgsl`let seen = min(uniforms.keys, u32(max(0, i32(min(first + ${rows}u, uniforms.queries)) + uniforms.position)));`;

/**
 * The function `masked(score, mask_at, query, key)`: the score with its scale and mask, HIDDEN where the query does not see the key. The
 * mask's minus infinity is told by its bits, since WGSL lets compilers assume that there are no infinities.
 */
export const maskFunction = ({ mask }: AttentionCode): Piece => wgsl`
  fn masked(score: f32, mask_at: u32, query: u32, key: u32) -> f32 {
    if (key >= uniforms.keys || i32(key) > i32(query) + uniforms.position) { return HIDDEN; }
    ${mask === "none" ? [] : wgsl`let at = mask_at + query * uniforms.maskQuery + key * uniforms.maskKey;`}
    ${
      mask === "bool"
        ? wgsl`if (((mask[at >> 2u] >> (8u * (at & 3u))) & 0xffu) == 0u) { return HIDDEN; }`
        : mask === "float32"
          ? wgsl`
              let added = mask[at];
              if (bitcast<u32>(added) == 0xff800000u) { return HIDDEN; }
            `
          : []
    }
    let result = score * uniforms.scale${mask === "float32" ? " + added" : ""};
    return select(result, LEAST, result < LEAST);
  }
`;

/** Scores are kept above the lowest number, which stands for hidden keys. */
export const MASKING_CONSTANTS = wgsl`
  const HIDDEN: f32 = -3.4028234663852886e38f;
  const LEAST: f32 = -3.4028232635611926e38f;
`;

/** A position from which all keys are seen. */
const EVERYWHERE = 2 ** 30;

/** The uniforms that the spec gives, for blocks of `rows` queries and `columns` of the values to a workgroup. */
export function attentionUniforms(
  spec: AttentionSpec,
  keys: AttentionSpec["k"],
  values: AttentionSpec["v"],
  rows: number,
  columns: number,
): Record<AttentionUniform, number> {
  const { batch, heads, kvHeads, queries, headSize, valueSize, q, y } = spec;
  const [blocks, parts] = [Math.ceil(queries / rows), Math.ceil(valueSize / columns)];
  const [maskBatch, maskHead, maskQuery, maskKey] = spec.mask?.strides ?? [0, 0, 0, 0];
  return {
    items: batch * heads * blocks * parts,
    blocks,
    parts,
    heads,
    sharing: heads / kvHeads,
    queries,
    keys: spec.mask?.keys ?? spec.past + spec.keys,
    headSize,
    valueSize,
    qBatch: q.batch,
    qHead: q.head,
    qRow: q.row,
    kBatch: keys.batch,
    kHead: keys.head,
    kRow: keys.row,
    vBatch: values.batch,
    vHead: values.head,
    vRow: values.row,
    yBatch: y.batch,
    yHead: y.head,
    yRow: y.row,
    maskBatch,
    maskHead,
    maskQuery,
    maskKey,
    position: spec.position ?? EVERYWHERE,
    scale: spec.scale,
  };
}
