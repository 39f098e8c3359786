import type { Node, Value } from "../../../../graph/index.js";
import { attributesFor, operatorOf, operators } from "../../../../ops/index.js";
import { type HeadStrides, headsFirst, rowsFirst } from "../../../../ops/nn/attend.js";
import type { AttentionAttributes } from "../../../../ops/nn/attention.js";
import type { MatchContext } from "../../kernel.js";

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
  /** Query i sees keys up to i + past only. */
  readonly causal: boolean;
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
  readonly causal: boolean;
  readonly at: AttentionSpec["at"];
}

function specOf(node: Node, at: MatchContext, parts: Parts): AttentionSpec | null {
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
    causal: parts.causal,
    mask,
    at: parts.at,
  };
}

/** ONNX Attention without soft cap, windows, outside caches or an output of scores. */
function matchAttention(node: Node, at: MatchContext): AttentionSpec | null {
  const a = attributesFor(node, operatorOf(node, operators)) as AttentionAttributes;
  if (a.softcap !== 0 || a.windowLeft !== null || a.windowRight !== null || node.inputs[6] || node.outputs[3])
    return null;
  return specOf(node, at, {
    queryHeads: a.queryHeads,
    keyValueHeads: a.keyValueHeads,
    scale: a.scale,
    causal: a.isCausal,
    at: { mask: 3, pastKey: 4, pastValue: 5, presentKey: 1, presentValue: 2 },
  });
}

/** com.microsoft MultiHeadAttention of separate q, k, v without projection bias, padding mask or an output of scores. */
function matchMultiHeadAttention(node: Node, at: MatchContext): AttentionSpec | null {
  const [query, key] = node.inputs;
  if (!query || !key || node.inputs[3] || node.inputs[4] || node.inputs.slice(8).some(Boolean) || node.outputs[3])
    return null;
  if (at.type(query).shape.length !== 3) return null;
  const number = (name: string): number => Number(node.attributes.get(name)?.value ?? 0);
  const heads = number("num_heads");
  return specOf(node, at, {
    queryHeads: heads,
    keyValueHeads: heads,
    scale: number("scale") || null,
    causal: number("unidirectional") !== 0,
    at: { mask: 5, pastKey: 6, pastValue: 7, presentKey: 1, presentValue: 2 },
  });
}

/** The attention that a node stands for, or null when it is none that the kernel knows. */
export function attentionSpec(node: Node, at: MatchContext): AttentionSpec | null {
  if (node.domain === "" && node.op === "Attention") return matchAttention(node, at);
  if (node.domain === "com.microsoft" && node.op === "MultiHeadAttention") return matchMultiHeadAttention(node, at);
  return null;
}
