import type { ValueType } from "../../graph/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { type AttentionBias, attend, headsFirst, rowsFirst, type ScoreStage } from "./attend.js";
import { multiplyDim, sumDim } from "./dims.js";
import { headDims, joinRows, maskBias, splitHeads } from "./heads.js";

export interface AttentionAttributes {
  readonly isCausal: boolean;
  /** Heads of three-axis inputs; null where the inputs have four. */
  readonly queryHeads: number | null;
  readonly keyValueHeads: number | null;
  /** Null for 1/√head_size. */
  readonly scale: number | null;
  readonly softcap: number;
  readonly scoreStage: ScoreStage;
  /** The node has the fourth output, which is as large as heads × queries × keys. */
  readonly wantsScores: boolean;
  /** Keys seen before and after a query's own position (opset 25); null for all. */
  readonly windowLeft: number | null;
  readonly windowRight: number | null;
}

const STAGES: readonly ScoreStage[] = ["raw", "capped", "biased", "probabilities"];

function infer(inputs: readonly (Operand | null)[], a: AttentionAttributes): readonly ValueType[] {
  const [q, k, v] = [need(inputs, 0).type, need(inputs, 1).type, need(inputs, 2).type];
  const [qd, kd, vd] = [
    headDims(q.shape, a.queryHeads),
    headDims(k.shape, a.keyValueHeads),
    headDims(v.shape, a.keyValueHeads),
  ];
  const past = inputs[4] === undefined || inputs[4] === null ? 0 : inputs[4].type.shape?.[2];
  const total = kd === null || past === undefined ? undefined : sumDim(past, kd[2]);
  const y =
    qd === null || vd === null
      ? null
      : q.shape!.length === 3
        ? [qd[0], qd[2], multiplyDim(qd[1], vd[3])]
        : [qd[0], qd[1], qd[2], vd[3]];
  return [
    { dtype: q.dtype, shape: y },
    { dtype: k.dtype, shape: kd === null || total === undefined ? null : [kd[0], kd[1], total, kd[3]] },
    { dtype: v.dtype, shape: vd === null || total === undefined ? null : [vd[0], vd[1], total, vd[3]] },
    { dtype: q.dtype, shape: qd === null || total === undefined ? null : [qd[0], qd[1], qd[2], total] },
  ];
}

/**
 * Bounds of the keys that query i of batch entry n sees. Its position is i + offset: offset is the past's length, or with
 * nonpad_kv_seqlen (a cache kept outside) the valid keys less the queries, or 0.
 */
function keyRange(
  a: AttentionAttributes,
  queries: number,
  keys: number,
  past: number,
  valid: ArrayLike<number> | null,
): (n: number, i: number) => readonly [number, number] {
  return (n, i) => {
    const position = i + (valid === null ? past : valid[n]! - queries);
    let to = valid === null ? keys : valid[n]!;
    if (a.isCausal) to = Math.min(to, position + 1);
    if (a.windowRight !== null) to = Math.min(to, position + a.windowRight + 1);
    return [a.windowLeft === null ? 0 : position - a.windowLeft, to];
  };
}

/**
 * ONNX Attention (opset 23 on): scaled dot-product attention of Q [batch, heads, queries, size] (or [batch, queries,
 * heads·size]) over K and V, which may have fewer heads and come after past_key and past_value. Outputs Y in Q's form,
 * present_key and present_value [batch, kv heads, past + keys, size], and the scores of one stage.
 * A query whose keys are all masked gives zeros. Softmax is computed in double, whatever softmax_precision asks for.
 */
export const attention: Operator<AttentionAttributes> = {
  name: "Attention",
  domain: "",
  attributes: (node) => {
    const stage = STAGES[node.int("qk_matmul_output_mode", 0)];
    if (stage === undefined) node.fail("qk_matmul_output_mode", `${node.int("qk_matmul_output_mode")} is not 0 to 3`);
    const bound = (name: string) => {
      const value = node.int(name, -1);
      return value < 0 ? null : value;
    };
    return {
      isCausal: node.flag("is_causal"),
      queryHeads: node.optional("q_num_heads", "int") ?? null,
      keyValueHeads: node.optional("kv_num_heads", "int") ?? null,
      scale: node.optional("scale", "float") ?? null,
      softcap: node.float("softcap", 0),
      scoreStage: stage as ScoreStage,
      wantsScores: node.node.outputs[3] != null,
      windowLeft: bound("left_window_size"),
      windowRight: bound("right_window_size"),
    };
  },
  infer,
  evaluate: (inputs, a) => {
    const [Q, K, V] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const heads = a.queryHeads ?? Q.shape[1]!;
    const split = (x: Tensor, count: number | null) => {
      if (x.shape.length === 3 && count === null)
        throw new NonzeroError("shape", "inputs of three axes need q_num_heads and kv_num_heads");
      return splitHeads(x, count ?? 1);
    };
    const q = split(Q, a.queryHeads);
    const k = joinRows(inputs[4], split(K, a.keyValueHeads));
    const v = joinRows(inputs[5], split(V, a.keyValueHeads));
    const [batch, , queries, headSize] = q.shape as [number, number, number, number];
    const [, kvHeads, keys, keySize] = k.shape as [number, number, number, number];
    const valueSize = v.shape[3]!;
    if (keySize !== headSize || v.shape[2] !== keys || k.shape[0] !== batch || v.shape[0] !== batch)
      throw new NonzeroError("shape", `Q [${q.shape}], K [${k.shape}] and V [${v.shape}] do not fit together`);
    const biases: AttentionBias[] = inputs[3] == null ? [] : [maskBias(inputs[3], [batch, heads, queries, keys])];
    const valid = inputs[6]?.numbers() ?? null;
    const y = numbersFor(Q.dtype, batch * heads * queries * valueSize);
    const scores = a.wantsScores ? numbersFor(Q.dtype, batch * heads * queries * keys) : null;
    const flat = Q.shape.length === 3;
    attend(
      {
        batch,
        heads,
        kvHeads,
        queries,
        keys,
        headSize,
        valueSize,
        q: q.numbers(),
        qStrides: headsFirst(heads, queries, headSize),
        k: k.numbers(),
        kStrides: headsFirst(kvHeads, keys, headSize),
        v: v.numbers(),
        vStrides: headsFirst(kvHeads, keys, valueSize),
        scale: a.scale ?? 1 / Math.sqrt(headSize),
        softcap: a.softcap,
        biases,
        range: keyRange(a, queries, keys, inputs[4]?.shape[2] ?? 0, valid),
        sinks: null,
      },
      y,
      flat ? rowsFirst(heads, queries, valueSize) : headsFirst(heads, queries, valueSize),
      scores,
      a.scoreStage,
    );
    const shape = flat ? [batch, queries, heads * valueSize] : [batch, heads, queries, valueSize];
    const outputs = [Tensor.from(Q.dtype, shape, y), k, v];
    if (scores !== null) outputs.push(Tensor.from(Q.dtype, [batch, heads, queries, keys], scores));
    return outputs;
  },
};
