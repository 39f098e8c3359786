import type { ShaderCode } from "../../kernel.js";
import { output, shader, unroll, wgsl } from "../../wgsl/index.js";
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

/** Threads, and keys of a step. */
const THREADS = 64;
/** Threads along the columns, four each; the others share the keys out. */
const ACROSS = 16;
const DOWN = THREADS / ACROSS;

/** Most columns of the values that a workgroup sums, 64 at a time. */
const MOST_TILES = 2;

/** Columns of the values that a workgroup sums up. */
export const rowColumns = (valueSize: number): number =>
  4 * ACROSS * Math.min(MOST_TILES, Math.ceil(valueSize / (4 * ACROSS)));

/** Attention of one query of a head, as decoding wants it: steps of 64 keys, one a thread, then their values, shared out four ways. */
export function attendRows(code: AttentionCode, columns: number): ShaderCode<string, AttentionUniform> {
  const tiles = columns / (4 * ACROSS);
  return shader<string, AttentionUniform>({
    key: `attention/row/${tiles}/${codeKey(code)}`,
    workgroup: [THREADS],
    bindings: { ...attentionInputs(code), y: output(elementOf(code)) },
    uniforms: ATTENTION_UNIFORMS,
    declarations: () => wgsl`
      ${MASKING_CONSTANTS}
      var<workgroup> scores: array<f32, ${THREADS}>;
      var<workgroup> sums: array<vec4<f32>, ${THREADS}>;
      ${loadFunctions(code)}
      ${maskFunction(code)}
    `,
    body: (s) => wgsl`
      ${itemText(s.groupIndex, 1)}
      ${seenText(1)}
      ${code.mask === "none" ? "let mask_at = 0u;" : "let mask_at = batch * uniforms.maskBatch + head * uniforms.maskHead;"}
      let q_row = q_at + first * uniforms.qRow;
      let across = ${s.lane} % ${ACROSS}u;
      let down = ${s.lane} / ${ACROSS}u;
      let column = part * ${columns}u + 4u * across;
      ${unroll(tiles, (t) => wgsl`var sum_${t} = vec4<f32>();`)}
      var largest = HIDDEN;
      var total = 0.0f;
      for (var key0 = 0u; key0 < seen; key0 += ${THREADS}u) {
        let key = key0 + ${s.lane};
        var score = HIDDEN;
        if (key < seen) {
          let k_row = k_at + key * uniforms.kRow;
          var products = vec4<f32>();
          for (var d = 0u; d < uniforms.headSize; d += 4u) {
            products = fma(load_q(q_row, d, uniforms.headSize), load_k(k_row, d, uniforms.headSize), products);
          }
          score = masked(products.x + products.y + products.z + products.w, mask_at, first, key);
        }
        workgroupBarrier();
        scores[${s.lane}] = score;
        workgroupBarrier();
        let before = largest;
        for (var i = 0u; i < ${THREADS}u; i++) { largest = max(largest, scores[i]); }
        let shrink = exp(before - largest);
        workgroupBarrier();
        scores[${s.lane}] = select(exp(score - largest), 0.0f, score == HIDDEN);
        workgroupBarrier();
        total *= shrink;
        ${unroll(tiles, (t) => wgsl`sum_${t} *= shrink;`)}
        for (var i = down; i < min(${THREADS}u, seen - key0); i += ${DOWN}u) {
          let weight = scores[i];
          total += weight;
          let v_row = v_at + (key0 + i) * uniforms.vRow;
          ${unroll(tiles, (t) => wgsl`sum_${t} = fma(vec4<f32>(weight), load_v(v_row, column + ${4 * ACROSS * t}u, uniforms.valueSize), sum_${t});`)}
        }
      }
      workgroupBarrier();
      scores[${s.lane}] = total;
      workgroupBarrier();
      total = ${unroll(DOWN, (i) => wgsl`scores[${i * ACROSS}]`)
        .map(String)
        .join(" + ")};
      let factor = select(0.0f, 1.0f / total, total > 0.0f);
      ${unroll(
        tiles,
        (t) => wgsl`
          workgroupBarrier();
          sums[${s.lane}] = sum_${t};
          workgroupBarrier();
          if (down == 0u) {
            let four = factor * (${unroll(DOWN, (i) => wgsl`sums[across + ${i * ACROSS}u]`)
              .map(String)
              .join(" + ")});
            let at = column + ${4 * ACROSS * t}u;
            let to = y_at + first * uniforms.yRow + at;
            ${
              code.vectors
                ? "if (at < uniforms.valueSize) { y[to >> 2u] = four; }"
                : wgsl`
                    for (var i = 0u; i < 4u; i++) {
                      if (at + i < uniforms.valueSize) { y[to + i] = four[i]; }
                    }
                  `
            }
          }
        `,
      )}
    `,
  });
}
