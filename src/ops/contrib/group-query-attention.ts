import type { Dim, ValueType } from "../../graph/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { type AttentionBias, attend, type HeadStrides, headsFirst, rowsFirst } from "../nn/attend.js";
import { divideDim, multiplyDim, unknownDim } from "../nn/dims.js";
import { maskBias } from "../nn/heads.js";
import { rotate } from "../nn/rotate.js";
import type { Operand, Operator } from "../operator.js";

export interface GroupQueryAttentionAttributes {
  readonly heads: number;
  readonly keyValueHeads: number;
  /** Null for 1/√head_size. */
  readonly scale: number | null;
  readonly softcap: number;
  readonly causal: boolean;
  readonly rotary: boolean;
  readonly interleaved: boolean;
  /** Keys that a query sees, its own included; null for all. */
  readonly window: number | null;
  /** One more logit, 0, that only adds to the denominator. */
  readonly smoothSoftmax: boolean;
  /** What the fourth output holds: scores before (1) or after (2) softmax. */
  readonly scoreOutput: number;
  /** The node has the fourth output, which is as large as heads × queries × keys. */
  readonly wantsScores: boolean;
}

function attributes(node: Attributes): GroupQueryAttentionAttributes {
  const unsupported = (field: string, reason: string): never => {
    throw new NonzeroError("unsupported", reason, { node: node.node.name, field });
  };
  for (const field of ["k_quant_type", "v_quant_type"])
    if (node.string(field, "NONE") !== "NONE") unsupported(field, "a quantized cache is not supported");
  if (node.flag("sliding_window_cache")) unsupported("sliding_window_cache", "window-sized caches are not supported");
  const [heads, keyValueHeads] = [node.int("num_heads"), node.int("kv_num_heads")];
  if (heads < 1) node.fail("num_heads", `${heads} is below 1`);
  if (keyValueHeads < 1 || heads % keyValueHeads !== 0)
    node.fail("kv_num_heads", `${keyValueHeads} does not divide ${heads}`);
  const scale = node.float("scale", 0);
  const window = node.int("local_window_size", -1);
  return {
    heads,
    keyValueHeads,
    scale: scale === 0 ? null : scale,
    softcap: node.float("softcap", 0),
    causal: node.flag("causal", true),
    rotary: node.flag("do_rotary"),
    interleaved: node.flag("rotary_interleaved"),
    window: window > 0 ? window : null,
    smoothSoftmax: node.flag("smooth_softmax"),
    scoreOutput: node.int("qk_output", 0),
    wantsScores: node.node.outputs[3] != null,
  };
}

function infer(inputs: readonly (Operand | null)[], a: GroupQueryAttentionAttributes): readonly ValueType[] {
  const q = need(inputs, 0).type;
  if (q.shape === null) return Array.from({ length: 4 }, () => ({ dtype: q.dtype, shape: null }));
  if (q.shape.length !== 3) throw new NonzeroError("shape", `query takes three axes, not [${q.shape}]`);
  const [batch, queries, hidden] = q.shape as [Dim, Dim, Dim];
  const packed = inputs[1] == null;
  const size = divideDim(hidden, packed ? a.heads + 2 * a.keyValueHeads : a.heads, "the hidden size");
  const past = inputs[3] == null ? 0 : inputs[3].type.shape?.[2];
  const total = inputs[6]?.value?.item();
  const length =
    typeof past === "number" && total !== undefined ? Math.max(past, total) : unknownDim("present_sequence_length");
  const present = { dtype: q.dtype, shape: [batch, a.keyValueHeads, length, size] };
  const y = packed ? multiplyDim(size, a.heads) : hidden;
  return [
    { dtype: q.dtype, shape: [batch, queries, y] },
    present,
    present,
    { dtype: q.dtype, shape: [batch, a.heads, queries, length] },
  ];
}

/** An operand inside an array: where its heads lie, with `at` the offset of the first. */
interface Part {
  readonly values: Float32Array | Float64Array;
  readonly strides: HeadStrides;
}

/** `count` heads from head `first` on of x [batch, rows, all · size], as their own [batch, rows, count · size]. */
function takeHeads(x: Tensor, first: number, count: number, size: number): Part {
  const width = x.shape[2]!;
  const rows = x.shape[0]! * x.shape[1]!;
  const from = x.numbers();
  const values = numbersFor(x.dtype, rows * count * size);
  for (let row = 0; row < rows; row++) {
    const at = row * width + first * size;
    values.set(from.subarray(at, at + count * size), row * count * size);
  }
  return { values, strides: rowsFirst(count, x.shape[1]!, size) };
}

/**
 * The cache after this step, [batch, kv heads, length, size]: `pastLengths[n]` rows of the past, then the new ones, then zeros.
 */
function presentOf(
  past: Tensor | null | undefined,
  fresh: Part,
  shape: readonly [number, number, number, number],
  rows: number,
  pastLengths: readonly number[],
): Float32Array | Float64Array {
  const [batch, heads, length, size] = shape;
  const result = numbersFor(
    past?.dtype ?? (fresh.values instanceof Float32Array ? "float32" : "float64"),
    batch * heads * length * size,
  );
  const before = past?.numbers();
  const capacity = past?.shape[2] ?? 0;
  for (let n = 0; n < batch; n++) {
    for (let h = 0; h < heads; h++) {
      const at = (n * heads + h) * length * size;
      const kept = pastLengths[n]!;
      if (before !== undefined) {
        const from = (n * heads + h) * capacity * size;
        result.set(before.subarray(from, from + kept * size), at);
      }
      for (let r = 0; r < Math.min(rows, length - kept); r++) {
        const from = n * fresh.strides.batch + h * fresh.strides.head + r * fresh.strides.row;
        result.set(fresh.values.subarray(from, from + size), at + (kept + r) * size);
      }
    }
  }
  return result;
}

/**
 * com.microsoft GroupQueryAttention: causal attention of `heads` query heads over fewer key and value heads and a cache.
 * Inputs query [batch, rows, heads·size] (or packed with key and value along the last axis), key, value, past_key and past_value
 * [batch, kv heads, capacity, size], seqlens_k [batch] (each sequence's length after this step, less one),
 * total_sequence_length, cos_cache and sin_cache [positions, half], position_ids, attention_bias, head_sink [heads].
 * Outputs [batch, rows, heads·size] and the caches, of length max(capacity, total_sequence_length), and the scores that
 * qk_output asks for. Rows equal to total_sequence_length are a first prompt, padded at the right; otherwise the rows are the
 * last ones of each sequence. Rotated keys are what the cache holds.
 */
export const groupQueryAttention: Operator<GroupQueryAttentionAttributes> = {
  name: "GroupQueryAttention",
  domain: "com.microsoft",
  attributes,
  shapeInputs: [6],
  infer,
  evaluate: (inputs, a) => {
    for (const i of [12, 13, 14, 15])
      if (inputs[i] != null) throw new NonzeroError("unsupported", `input ${i} is not supported`);
    const query = need(inputs, 0);
    const { heads, keyValueHeads: kvHeads } = a;
    const packed = inputs[1] == null;
    const [batch, rows] = query.shape as [number, number];
    const size = query.shape[2]! / (packed ? heads + 2 * kvHeads : heads);
    const [key, value] = packed ? [query, query] : [need(inputs, 1), need(inputs, 2)];
    if (query.shape.length !== 3 || !Number.isInteger(size) || key.shape[1] !== rows || value.shape[1] !== rows)
      throw new NonzeroError("shape", `query [${query.shape}], key [${key.shape}], value [${value.shape}]`);
    if (!packed && (key.shape[2] !== kvHeads * size || value.shape[2] !== kvHeads * size))
      throw new NonzeroError("shape", `key [${key.shape}] and value [${value.shape}] for heads of ${size}`);
    const [past, pastValue] = [inputs[3], inputs[4]];
    const capacity = past?.shape[2] ?? 0;
    const total = need(inputs, 6).item();
    const ends = Array.from(need(inputs, 5).numbers(), (last) => last + 1);
    const starts = ends.map((end) => (rows === total ? 0 : end - rows));
    const length = Math.max(capacity, total);
    if (ends.length !== batch || starts.some((start, n) => start < 0 || start > capacity || ends[n]! > length))
      throw new NonzeroError("shape", `sequences of ${ends} keys with ${rows} new rows and a past of ${capacity}`, {
        field: "seqlens_k",
      });
    const q = takeHeads(query, 0, heads, size);
    const k = takeHeads(key, packed ? heads : 0, kvHeads, size);
    const v = takeHeads(value, packed ? heads + kvHeads : 0, kvHeads, size);
    if (a.rotary) {
      const [cos, sin] = [need(inputs, 7), need(inputs, 8)];
      const ids = inputs[9]?.numbers();
      const last = cos.shape[0]! - 1;
      // Rows past a padded prompt's end have no position of their own; what they give is not used.
      const position = (n: number, r: number) =>
        ids !== undefined ? ids[n * rows + r]! : r + starts[n]! < ends[n]! ? r + starts[n]! : Math.min(r, last);
      for (const [part, count] of [
        [q, heads],
        [k, kvHeads],
      ] as const)
        rotate(
          part.values,
          [batch, count, rows],
          part.strides,
          2 * cos.shape[1]!,
          cos.numbers(),
          sin.numbers(),
          a.interleaved,
          position,
        );
    }
    const shape = [batch, kvHeads, length, size] as const;
    const keys = presentOf(past, k, shape, rows, starts);
    const values = presentOf(pastValue, v, shape, rows, starts);
    const biases: AttentionBias[] = inputs[10] == null ? [] : [maskBias(inputs[10], [batch, heads, rows, length])];
    const y = numbersFor(query.dtype, batch * rows * heads * size);
    const scores = a.wantsScores ? numbersFor(query.dtype, batch * heads * rows * length) : null;
    const strides = headsFirst(kvHeads, length, size);
    attend(
      {
        batch,
        heads,
        kvHeads,
        queries: rows,
        keys: length,
        headSize: size,
        valueSize: size,
        q: q.values,
        qStrides: q.strides,
        k: keys,
        kStrides: strides,
        v: values,
        vStrides: strides,
        scale: a.scale ?? 1 / Math.sqrt(size),
        softcap: a.softcap,
        biases,
        range: (n, i) => {
          const end = starts[n]! + i + 1;
          if (!a.causal) return [0, ends[n]!];
          return [a.window === null ? 0 : end - a.window, end];
        },
        sinks: inputs[11]?.numbers() ?? (a.smoothSoftmax ? new Float64Array(heads) : null),
      },
      y,
      rowsFirst(heads, rows, size),
      scores,
      a.scoreOutput === 1 ? "biased" : "probabilities",
    );
    const outputs = [
      Tensor.from(query.dtype, [batch, rows, heads * size], y),
      Tensor.from(query.dtype, shape, keys),
      Tensor.from(query.dtype, shape, values),
    ];
    if (scores !== null) outputs.push(Tensor.from(query.dtype, [batch, heads, rows, length], scores));
    return outputs;
  },
};
