import type { ShaderCode } from "../../kernel.js";
import { output, type Piece, shader, unroll, wgsl } from "../../wgsl/index.js";
import {
  ATTENTION_UNIFORMS,
  type AttentionCode,
  type AttentionUniform,
  attentionInputs,
  codeKey,
  elementOf,
  itemText,
  loadFunctions,
  MASKING_CONSTANTS,
  maskFunction,
  seenText,
} from "./masking.js";

/** Queries of a workgroup, keys of a step, and columns that are in workgroup memory at a time. */
export const BLOCK = 32;
/** Threads are 8 × 8: four queries each, four keys of the step or four of 32 columns. */
const SIDE = BLOCK / 4;

/** Most columns of the values that a workgroup sums, 32 at a time. */
const MOST_TILES = 4;

/** Columns of the values that a workgroup sums up. */
export const blockColumns = (valueSize: number): number => BLOCK * Math.min(MOST_TILES, Math.ceil(valueSize / BLOCK));

/**
 * Attention of 32 queries of a head, as FlashAttention has it (Dao et al., 2022): steps of 32 keys, whose scores stay in registers and
 * whose exponentials go through workgroup memory; what was summed before is scaled down when the largest score grows.
 */
export function attendBlocks(code: AttentionCode, columns: number): ShaderCode<string, AttentionUniform> {
  const tiles = columns / BLOCK;
  return shader<string, AttentionUniform>({
    key: `attention/block/${tiles}/${codeKey(code)}`,
    workgroup: [SIDE * SIDE],
    bindings: { ...attentionInputs(code), y: output(elementOf(code)) },
    uniforms: ATTENTION_UNIFORMS,
    declarations: () => wgsl`
      ${MASKING_CONSTANTS}
      // [column][query], and [column][key] or [key][column]: vectors along the inner axis.
      var<workgroup> qs: array<vec4<f32>, ${BLOCK * SIDE}>;
      var<workgroup> kvs: array<vec4<f32>, ${BLOCK * SIDE}>;
      // [key][query]
      var<workgroup> ps: array<vec4<f32>, ${BLOCK * SIDE}>;
      var<workgroup> shares: array<vec4<f32>, ${SIDE * SIDE}>;
      ${loadFunctions(code)}
      ${maskFunction(code)}
      ${storeFunction(code)}
    `,
    body: (s) => wgsl`
      ${itemText(s.groupIndex, BLOCK)}
      ${seenText(BLOCK)}
      ${code.mask === "none" ? "let mask_at = 0u;" : "let mask_at = batch * uniforms.maskBatch + head * uniforms.maskHead;"}
      let across = ${s.lane} % ${SIDE}u;
      let down = ${s.lane} / ${SIDE}u;
      let query = first + 4u * down;
      ${unroll(tiles, (t) => unroll(4, (r) => wgsl`var sum_${t}_${r} = vec4<f32>();`))}
      var largest = vec4<f32>(HIDDEN);
      var total = vec4<f32>();
      for (var key0 = 0u; key0 < seen; key0 += ${BLOCK}u) {
        ${scoresText()}
        ${softmaxText()}
        ${unroll(tiles, (t) => valuesText(t, columns))}
      }
      shares[${s.lane}] = total;
      workgroupBarrier();
      total = vec4<f32>();
      for (var i = 0u; i < ${SIDE}u; i++) { total += shares[down * ${SIDE}u + i]; }
      let factor = select(vec4<f32>(), 1.0f / total, total > vec4<f32>());
      ${unroll(4, (r) => unroll(tiles, (t) => wgsl`store(y_at, query + ${r}u, part * ${columns}u + ${BLOCK * t}u + 4u * across, sum_${t}_${r} * factor[${r}]);`))}
    `,
  });
}

const storeFunction = ({ vectors }: AttentionCode): Piece => wgsl`
  fn store(at: u32, query: u32, column: u32, four: vec4<f32>) {
    if (query >= uniforms.queries) { return; }
    let to = at + query * uniforms.yRow + column;
    ${
      vectors
        ? "if (column < uniforms.valueSize) { y[to >> 2u] = four; }"
        : wgsl`
            for (var i = 0u; i < 4u; i++) {
              if (column + i < uniforms.valueSize) { y[to + i] = four[i]; }
            }
          `
    }
  }
`;

/** Four rows of `name` from memory, turned about, to `target`. */
const turned = (name: "q" | "k", target: string, row: string, count: string): Piece => wgsl`
  {
    ${unroll(4, (r) => [
      wgsl`var row_${r} = vec4<f32>();`,
      wgsl`if (${row} + ${r}u < ${count}) { row_${r} = load_${name}(${name}_at + (${row} + ${r}u) * uniforms.${name}Row, column0 + 4u * down, uniforms.headSize); }`,
    ])}
    ${unroll(
      4,
      (c) =>
        wgsl`${target}[(4u * down + ${c}u) * ${SIDE}u + across] = vec4<f32>(row_0[${c}], row_1[${c}], row_2[${c}], row_3[${c}]);`,
    )}
  }
`;

/** score_0 … score_3: the thread's queries with each of its keys. */
const scoresText = (): Piece => wgsl`
  ${unroll(4, (k) => wgsl`var score_${k} = vec4<f32>();`)}
  for (var column0 = 0u; column0 < uniforms.headSize; column0 += ${BLOCK}u) {
    workgroupBarrier();
    ${turned("q", "qs", "first + 4u * across", "uniforms.queries")}
    ${turned("k", "kvs", "key0 + 4u * across", "seen")}
    workgroupBarrier();
    for (var d = 0u; d < ${BLOCK}u; d++) {
      let four_q = qs[(d * ${SIDE}u + down) & ${BLOCK * SIDE - 1}u];
      let four_k = kvs[(d * ${SIDE}u + across) & ${BLOCK * SIDE - 1}u];
      ${unroll(4, (k) => wgsl`score_${k} = fma(four_q, vec4<f32>(four_k[${k}]), score_${k});`)}
    }
  }
`;

/** The scores' exponentials to `ps`; sums that were are scaled. */
const softmaxText = (): Piece => wgsl`
  let key = key0 + 4u * across;
  for (var r = 0u; r < 4u; r++) {
    let row = min(query + r, uniforms.queries - 1u);
    ${unroll(4, (k) => wgsl`score_${k}[r] = masked(score_${k}[r], mask_at, row, key + ${k}u);`)}
  }
  shares[down * ${SIDE}u + across] = max(max(score_0, score_1), max(score_2, score_3));
  workgroupBarrier();
  let before = largest;
  for (var i = 0u; i < ${SIDE}u; i++) { largest = max(largest, shares[down * ${SIDE}u + i]); }
  let shrink = exp(before - largest);
  total *= shrink;
  ${unroll(
    4,
    (k) => wgsl`
      {
        let weight = select(exp(score_${k} - largest), vec4<f32>(), score_${k} == vec4<f32>(HIDDEN));
        total += weight;
        ps[(4u * across + ${k}u) * ${SIDE}u + down] = weight;
      }
    `,
  )}
`;

/** The step's values times their weights, for 32 columns. */
const valuesText = (tile: number, columns: number): Piece => wgsl`
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let row = ${SIDE}u * i + down;
    var four = vec4<f32>();
    if (key0 + row < seen) {
      four = load_v(v_at + (key0 + row) * uniforms.vRow, part * ${columns}u + ${BLOCK * tile}u + 4u * across, uniforms.valueSize);
    }
    kvs[(row * ${SIDE}u + across) & ${BLOCK * SIDE - 1}u] = four;
  }
  workgroupBarrier();
  ${unroll(4, (r) => wgsl`sum_${tile}_${r} *= shrink[${r}];`)}
  for (var j = 0u; j < ${BLOCK}u; j++) {
    let weights = ps[(j * ${SIDE}u + down) & ${BLOCK * SIDE - 1}u];
    let four = kvs[(j * ${SIDE}u + across) & ${BLOCK * SIDE - 1}u];
    ${unroll(4, (r) => wgsl`sum_${tile}_${r} = fma(vec4<f32>(weights[${r}]), four, sum_${tile}_${r});`)}
  }
`;
