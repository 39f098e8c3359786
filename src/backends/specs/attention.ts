import type { Node, Value } from "../../graph/index.js";
import type { MultiHeadAttentionAttributes } from "../../ops/contrib/multi-head-attention.js";
import { attributesFor, operatorOf, operators } from "../../ops/index.js";
import { type HeadStrides, headsFirst, rowsFirst } from "../../ops/nn/attend.js";
import type { AttentionAttributes } from "../../ops/nn/attention.js";
import { operationsOf } from "./elementwise/weights.js";
import type { Cost, NodeContext } from "./node.js";

/** A mask that is added to the scores (float32) or hides keys (bool, where false); strides in elements, 0 where it repeats. */
export interface AttentionMask {
  readonly dtype: "float32" | "bool";
  readonly strides: readonly [batch: number, head: number, query: number, key: number];
  /** Keys that the mask speaks of; those beyond are hidden. */
  readonly keys: number;
}

/** softmax(scale · q·kᵀ + mask) · v for each batch entry and head, float32. */
export interface AttentionSpec {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly queries: number;
  /** Keys that come with the node, and those before them in its caches. */
  readonly keys: number;
  readonly past: number;
  readonly headSize: number;
  readonly valueSize: number;
  readonly q: HeadStrides;
  readonly k: HeadStrides;
  readonly v: HeadStrides;
  readonly y: HeadStrides;
  readonly scale: number;
  /** Query i sees keys up to i + position only; null for all. */
  readonly position: number | null;
  /** Keys hidden as padding, by MultiHeadAttention's key_padding_mask; takes the place of `mask`. */
  readonly padding: { readonly form: "lengths" | "keys"; readonly hidden: number } | null;
  /** q, k and v get a bias first, from the node's input 3. */
  readonly biased: boolean;
  readonly mask: AttentionMask | null;
  /** The node's inputs and outputs by what they are. */
  readonly at: {
    readonly mask: number;
    readonly pastKey: number;
    readonly pastValue: number;
    readonly presentKey: number;
    readonly presentValue: number;
  };
}

/** The least size of a value: a vector. */
const LEAST_VALUE_SIZE = 4;

/** Heads of a tensor [batch, heads, rows, size] or [batch, rows, heads · size]. */
interface Heads {
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly size: number;
  readonly strides: HeadStrides;
}

function headsOf(shape: readonly number[], count: number | null): Heads | null {
  if (shape.length === 4) {
    const [batch, heads, rows, size] = shape as [number, number, number, number];
    return { batch, heads, rows, size, strides: headsFirst(heads, rows, size) };
  }
  if (shape.length !== 3 || count === null || count < 1) return null;
  const [batch, rows, hidden] = shape as [number, number, number];
  if (hidden % count !== 0) return null;
  return { batch, heads: count, rows, size: hidden / count, strides: rowsFirst(count, rows, hidden / count) };
}

/** The mask's strides over scores of shape `full`, or null where it does not broadcast as the kernel can. */
function maskOf(dtype: string, shape: readonly number[], full: readonly number[]): AttentionMask | null {
  if ((dtype !== "float32" && dtype !== "bool") || shape.length === 0 || shape.length > 4) return null;
  const dims = [...new Array<number>(4 - shape.length).fill(1), ...shape];
  const strides: [number, number, number, number] = [0, 0, 0, 1];
  let stride = dims[3]!;
  for (let axis = 2; axis >= 0; axis--) {
    if (dims[axis] !== 1 && dims[axis] !== full[axis]) return null;
    strides[axis] = dims[axis] === 1 ? 0 : stride;
    stride *= dims[axis]!;
  }
  return dims[3]! > full[3]! ? null : { dtype, strides, keys: dims[3]! };
}

/** What both operators come down to. */
interface Parts {
  readonly queryHeads: number | null;
  readonly keyValueHeads: number | null;
  readonly scale: number | null;
  readonly causal: "from the past on" | "to the end" | null;
  readonly biased: boolean;
  readonly at: AttentionSpec["at"];
}

function specOf(node: Node, at: NodeContext, parts: Parts): AttentionSpec | null {
  const input = (index: number): Value | null => node.inputs[index] ?? null;
  const [query, key, value] = [input(0), input(1), input(2)];
  if (query === null || key === null || value === null) return null;
  const given = [query, key, value, input(parts.at.pastKey), input(parts.at.pastValue)];
  if (given.some((v) => v !== null && at.type(v).dtype !== "float32")) return null;
  const q = headsOf(at.type(query).shape, parts.queryHeads);
  const k = headsOf(at.type(key).shape, parts.keyValueHeads);
  const v = headsOf(at.type(value).shape, parts.keyValueHeads);
  if (q === null || k === null || v === null) return null;
  const [pastKey, pastValue] = [input(parts.at.pastKey), input(parts.at.pastValue)];
  if ((pastKey === null) !== (pastValue === null)) return null;
  const past = pastKey === null ? 0 : at.type(pastKey).shape[2]!;
  const fit =
    k.heads === v.heads && k.rows === v.rows && k.size === q.size && k.batch === q.batch && v.batch === q.batch;
  if (!fit || q.heads % k.heads !== 0 || v.size < LEAST_VALUE_SIZE) return null;
  const full = [q.batch, q.heads, q.rows, past + k.rows];
  const maskValue = input(parts.at.mask);
  const mask = maskValue === null ? null : maskOf(at.type(maskValue).dtype, at.type(maskValue).shape, full);
  if (maskValue !== null && mask === null) return null;
  const flat = at.type(query).shape.length === 3;
  return {
    batch: q.batch,
    heads: q.heads,
    kvHeads: k.heads,
    queries: q.rows,
    keys: k.rows,
    past,
    headSize: q.size,
    valueSize: v.size,
    q: q.strides,
    k: k.strides,
    v: v.strides,
    y: flat ? rowsFirst(q.heads, q.rows, v.size) : headsFirst(q.heads, q.rows, v.size),
    scale: parts.scale ?? 1 / Math.sqrt(q.size),
    position: parts.causal === null ? null : parts.causal === "to the end" ? past + k.rows - q.rows : past,
    padding: null,
    biased: parts.biased,
    mask,
    at: parts.at,
  };
}

/** ONNX Attention without soft cap, windows, outside caches or an output of scores. */
function matchAttention(node: Node, at: NodeContext): AttentionSpec | null {
  const a = attributesFor(node, operatorOf(node, operators)) as AttentionAttributes;
  if (a.softcap !== 0 || a.windowLeft !== null || a.windowRight !== null || node.inputs[6] || node.outputs[3])
    return null;
  return specOf(node, at, {
    queryHeads: a.queryHeads,
    keyValueHeads: a.keyValueHeads,
    scale: a.scale,
    causal: a.isCausal ? "from the past on" : null,
    biased: false,
    at: { mask: 3, pastKey: 4, pastValue: 5, presentKey: 1, presentValue: 2 },
  });
}

const KEY_PADDING = 4;

/** com.microsoft MultiHeadAttention of separate q, k, v, with one kind of mask, without an output of scores. */
function matchMultiHeadAttention(node: Node, at: NodeContext): AttentionSpec | null {
  const [query, key, value, bias, padding, mask] = node.inputs;
  if (!query || !key || !value || node.inputs.slice(8).some(Boolean) || node.outputs[3]) return null;
  if (at.type(query).shape.length !== 3 || (bias && at.type(bias).dtype !== "float32")) return null;
  const a = attributesFor(node, operatorOf(node, operators)) as MultiHeadAttentionAttributes;
  const spec = specOf(node, at, {
    queryHeads: a.heads,
    keyValueHeads: a.heads,
    scale: a.scale,
    causal: a.unidirectional ? "to the end" : null,
    biased: Boolean(bias),
    at: { mask: 5, pastKey: 6, pastValue: 7, presentKey: 1, presentValue: 2 },
  });
  if (spec === null || !padding) return spec;
  const { dtype, shape } = at.type(padding);
  const total = spec.past + spec.keys;
  const form = shape.join() === `${spec.batch}` ? "lengths" : shape.join() === `${spec.batch},${total}` ? "keys" : null;
  if (mask || dtype !== "int32" || form === null) return null;
  return {
    ...spec,
    mask: { dtype: "float32", strides: [total, 0, 0, 1], keys: total },
    padding: { form, hidden: a.maskFilterValue },
    at: { ...spec.at, mask: KEY_PADDING },
  };
}

/** The attention that a node stands for, or null when it is none that the kernel knows. */
export function attentionSpec(node: Node, at: NodeContext): AttentionSpec | null {
  if (node.domain === "" && node.op === "Attention") return matchAttention(node, at);
  if (node.domain === "com.microsoft" && node.op === "MultiHeadAttention") return matchMultiHeadAttention(node, at);
  return null;
}

export const attentionCost = (spec: AttentionSpec): Cost => {
  const { batch, heads, kvHeads, queries, keys, past, headSize, valueSize, mask } = spec;
  const all = keys + past;
  const sizes = [batch, heads, queries, all];
  const masked = mask?.strides.reduce((size, stride, axis) => (stride === 0 ? size : size * sizes[axis]!), 1) ?? 0;
  return {
    // A softmax raises each score.
    multiplyAdds: batch * heads * queries * all * (headSize + valueSize + operationsOf("Exp")),
    bytes:
      4 * batch * (heads * queries + kvHeads * all) * (headSize + valueSize) +
      masked * (mask?.dtype === "bool" ? 1 : 4),
  };
};
