import type { Dim, ValueType } from "../../graph/index.js";
import { allocate, NonzeroError, type NumericArray, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { type AttentionBias, attend, headsFirst, rowsFirst } from "../nn/attend.js";
import { divideDim, multiplyDim, sumDim } from "../nn/dims.js";
import { joinRows, maskBias, splitHeads } from "../nn/heads.js";
import type { Operand, Operator } from "../operator.js";

export interface MultiHeadAttentionAttributes {
  readonly heads: number;
  /** Null for 1/√head_size. */
  readonly scale: number | null;
  readonly maskFilterValue: number;
  readonly unidirectional: boolean;
  /** The node has the fourth output, which is as large as heads × queries × keys. */
  readonly wantsScores: boolean;
}

/** Part `part` of an input [batch, rows, heads, parts, size] as [batch, rows, heads · size]. */
function unpack(packed: Tensor, part: number): Tensor {
  const [batch, rows, heads, parts, size] = packed.shape as [number, number, number, number, number];
  const from = packed.data as NumericArray;
  const data = allocate(packed.dtype, batch * rows * heads * size) as Float32Array;
  for (let i = 0; i < batch * rows * heads; i++) {
    const at = (i * parts + part) * size;
    data.set(from.subarray(at, at + size) as Float32Array, i * size);
  }
  return new Tensor(packed.dtype, [batch, rows, heads * size], data);
}

/** Query, key and value however they are packed; key and value of four axes are [batch, heads, rows, size]. */
function unpacked(inputs: readonly (Tensor | null)[]): { query: Tensor; key: Tensor; value: Tensor } {
  const query = need(inputs, 0);
  if (query.shape.length === 5) return { query: unpack(query, 0), key: unpack(query, 1), value: unpack(query, 2) };
  const key = need(inputs, 1);
  if (key.shape.length === 5) return { query, key: unpack(key, 0), value: unpack(key, 1) };
  return { query, key, value: need(inputs, 2) };
}

/** x [batch, rows, hidden] + bias[at … at + hidden], in double; x itself, widened, when there is no bias. */
function withBias(x: Tensor, bias: ArrayLike<number> | undefined, at: number): Tensor {
  if (bias === undefined) return x;
  const hidden = x.shape[2]!;
  const values = Float64Array.from(x.numbers());
  for (let i = 0; i < values.length; i++) values[i]! += bias[at + (i % hidden)]!;
  return Tensor.from(x.dtype, x.shape, values);
}

/**
 * key_padding_mask as a bias of `hidden` where a key is hidden: [batch] lengths, [3·batch + 2] (lengths, then cumulated ones),
 * [batch, keys] or [batch, queries, keys] with 0 for padding.
 */
function paddingBias(mask: Tensor, batch: number, queries: number, keys: number, hidden: number): AttentionBias {
  const numbers = mask.numbers();
  const bias = (full: readonly number[], seen: (i: number) => boolean): Float64Array => {
    const values = new Float64Array(full.reduce((size, dim) => size * dim, 1));
    for (let i = 0; i < values.length; i++) values[i] = seen(i) ? 0 : hidden;
    return values;
  };
  if (mask.shape.length === 1 && (mask.size === batch || mask.size === 3 * batch + 2)) {
    const values = bias([batch, keys], (i) => i % keys < numbers[Math.floor(i / keys)]!);
    return { values, strides: [keys, 0, 0, 1], keys };
  }
  const [rows, last] = [mask.shape.length === 3 ? queries : 1, mask.shape[mask.shape.length - 1]!];
  if (mask.shape.length < 2 || mask.size !== batch * rows * last || last !== keys)
    throw new NonzeroError("shape", `a key padding mask of shape [${mask.shape}] for ${batch} × ${keys} keys`);
  const values = bias(mask.shape, (i) => numbers[i]! > 0);
  return { values, strides: [rows * keys, 0, rows === 1 ? 0 : keys, 1], keys };
}

function infer(inputs: readonly (Operand | null)[], { heads }: MultiHeadAttentionAttributes): readonly ValueType[] {
  const q = need(inputs, 0).type;
  const [key, value] = [inputs[1]?.type.shape ?? null, inputs[2]?.type.shape ?? null];
  const unknown = { dtype: q.dtype, shape: null };
  const packedQuery = q.shape?.length === 5;
  const keys = packedQuery ? q.shape : key;
  if (q.shape === null || keys === null) return [unknown, unknown, unknown, unknown];
  const [batch, queries] = [q.shape[0]!, q.shape[1]!];
  const size: Dim = packedQuery ? q.shape[4]! : divideDim(q.shape[2]!, heads, "the hidden size");
  const values = packedQuery || key?.length === 5 ? keys : value;
  if (values === null) return [unknown, unknown, unknown, unknown];
  const valueSize =
    values.length === 5
      ? values[4]!
      : values.length === 4
        ? values[3]!
        : divideDim(values[2]!, heads, "the hidden size");
  const past = inputs[6] == null ? 0 : inputs[6].type.shape?.[2];
  const rows = keys.length === 4 ? keys[2]! : keys[1]!;
  const y = { dtype: q.dtype, shape: [batch, queries, multiplyDim(valueSize, heads)] };
  if (past === undefined) return [y, unknown, unknown, unknown];
  const total = sumDim(past, rows);
  return [
    y,
    { dtype: q.dtype, shape: [batch, heads, total, size] },
    { dtype: q.dtype, shape: [batch, heads, total, valueSize] },
    { dtype: q.dtype, shape: [batch, heads, queries, total] },
  ];
}

/**
 * com.microsoft MultiHeadAttention. Inputs query [batch, rows, hidden] or packed [batch, rows, heads, 3, size]; key and value
 * [batch, keys, hidden], key packed with value [batch, keys, heads, 2, size], or both [batch, heads, keys, size] (a cache of
 * cross-attention, to which no bias is added); bias [hidden + hidden + v_hidden]; key_padding_mask; attention_bias; past_key
 * and past_value [batch, heads, past, size]. Outputs [batch, rows, v_hidden], present_key, present_value, probabilities.
 */
export const multiHeadAttention: Operator<MultiHeadAttentionAttributes> = {
  name: "MultiHeadAttention",
  domain: "com.microsoft",
  attributes: (node) => {
    const heads = node.int("num_heads");
    if (heads < 1) node.fail("num_heads", `${heads} is below 1`);
    const scale = node.float("scale", 0);
    return {
      heads,
      scale: scale === 0 ? null : scale,
      maskFilterValue: node.float("mask_filter_value", -10000),
      unidirectional: node.flag("unidirectional"),
      wantsScores: node.node.outputs[3] != null,
    };
  },
  infer,
  evaluate: (inputs, a) => {
    if (inputs[8] != null || inputs[9] != null)
      throw new NonzeroError("unsupported", "past_sequence_length and cache_indirection are not supported");
    const { query, key, value } = unpacked(inputs);
    const bias = inputs[3]?.numbers();
    const hidden = query.shape[2]!;
    const { heads } = a;
    const q = splitHeads(withBias(query, bias, 0), heads);
    const project = (x: Tensor, at: number) => (x.shape.length === 4 ? x : splitHeads(withBias(x, bias, at), heads));
    const k = joinRows(inputs[6], project(key, hidden));
    const v = joinRows(inputs[7], project(value, 2 * hidden));
    const [batch, , queries, headSize] = q.shape as [number, number, number, number];
    const [, , keys, valueSize] = v.shape as [number, number, number, number];
    if (k.shape[2] !== keys || k.shape[3] !== headSize || k.shape[0] !== batch || v.shape[0] !== batch)
      throw new NonzeroError(
        "shape",
        `query [${q.shape}], key [${k.shape}] and value [${v.shape}] do not fit together`,
      );
    const biases: AttentionBias[] = [];
    if (inputs[4] != null) biases.push(paddingBias(inputs[4], batch, queries, keys, a.maskFilterValue));
    if (inputs[5] != null) biases.push(maskBias(inputs[5], [batch, heads, queries, keys]));
    const y = numbersFor(query.dtype, batch * queries * heads * valueSize);
    const scores = a.wantsScores ? numbersFor(query.dtype, batch * heads * queries * keys) : null;
    attend(
      {
        batch,
        heads,
        kvHeads: heads,
        queries,
        keys,
        headSize,
        valueSize,
        q: q.numbers(),
        qStrides: headsFirst(heads, queries, headSize),
        k: k.numbers(),
        kStrides: headsFirst(heads, keys, headSize),
        v: v.numbers(),
        vStrides: headsFirst(heads, keys, valueSize),
        scale: a.scale ?? 1 / Math.sqrt(headSize),
        softcap: 0,
        biases,
        range: (_, i) => [0, a.unidirectional ? keys - queries + i + 1 : keys],
        sinks: null,
      },
      y,
      rowsFirst(heads, queries, valueSize),
      scores,
      "probabilities",
    );
    const outputs = [Tensor.from(query.dtype, [batch, queries, heads * valueSize], y), k, v];
    if (scores !== null) outputs.push(Tensor.from(query.dtype, [batch, heads, queries, keys], scores));
    return outputs;
  },
};
