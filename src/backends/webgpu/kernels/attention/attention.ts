import type { Node } from "../../../../graph/index.js";
import { type HeadStrides, headsFirst } from "../../../../ops/nn/attend.js";
import { type AttentionSpec, attentionCost, attentionSpec } from "../../../specs/attention.js";
import type { Buffer, Kernel, Lowering } from "../../kernel.js";
import { groups } from "../../wgsl/index.js";
import { launchCopy } from "../move/copy.js";
import { attendBlocks, BLOCK, blockColumns } from "./block.js";
import { type AttentionCode, attentionUniforms } from "./masking.js";
import { addBias, paddingMask } from "./multi-head.js";
import { attendRows, rowColumns } from "./row.js";

export interface AttentionSchedule {
  /** With fewer queries than this, one a workgroup; else 32. */
  readonly blocksFrom: number;
}

/**
 * ONNX Attention and com.microsoft MultiHeadAttention, float32: softmax(q·kᵀ · scale + mask) · v without the matrix of scores.
 * Heads may be an axis or lie side by side, keys and values may have fewer heads, masks broadcast, caches (past, present) are joined
 * first. Values of hidden keys are multiplied by zero: they must be finite.
 */
export const attention: Kernel<AttentionSpec, AttentionSchedule> = {
  name: "attention",
  match(node, at) {
    const spec = attentionSpec(node, at);
    if (spec === null) return null;
    const { batch, heads, queries, headSize, past, keys, mask } = spec;
    return [batch, heads, queries, headSize, past + keys, mask?.keys ?? 1].includes(0) ? null : spec;
  },
  schedules: () => [{ blocksFrom: 6 }],
  lower(spec, { blocksFrom }, node, to) {
    const { queries, headSize, valueSize } = spec;
    const { pastKey, pastValue, presentKey, presentValue } = spec.at;
    const q = projected(spec, node, to, 0);
    const keys = joined(spec, node, to, 1, pastKey, presentKey, spec.k, headSize);
    const values = joined(spec, node, to, 2, pastValue, presentValue, spec.v, valueSize);
    const inBlocks = queries >= blocksFrom;
    const columns = (inBlocks ? blockColumns : rowColumns)(valueSize);
    const code: AttentionCode = {
      mask: spec.mask?.dtype ?? "none",
      vectors: headSize % 4 === 0 && valueSize % 4 === 0,
    };
    const uniforms = attentionUniforms(spec, keys.strides, values.strides, inBlocks ? BLOCK : 1, columns);
    to.launch(
      (inBlocks ? attendBlocks : attendRows)(code, columns),
      {
        q,
        k: keys.buffer,
        v: values.buffer,
        ...(spec.mask === null ? {} : { mask: maskOf(spec, node, to) }),
        y: to.buffer(node.outputs[0]!),
      },
      uniforms,
      groups(uniforms.items),
    );
  },
  cost: attentionCost,
};

function maskOf(spec: AttentionSpec, node: Node, to: Lowering): Buffer {
  const given = to.buffer(node.inputs[spec.at.mask]!);
  const { padding } = spec;
  if (padding === null) return given;
  return paddingMask(given, padding.form === "lengths", spec.batch, spec.past + spec.keys, padding.hidden, to);
}

/** Query (0), keys (1) or values (2) as given, or with their part of the bias; keys and values of four axes get none. */
function projected(spec: AttentionSpec, node: Node, to: Lowering, input: 0 | 1 | 2): Buffer {
  const value = node.inputs[input]!;
  const { shape } = to.type(value);
  if (!spec.biased || shape.length !== 3) return to.buffer(value);
  const [batch, rows, size] = shape as [number, number, number];
  const offset = input * spec.heads * spec.headSize;
  return addBias(to.buffer(value), to.buffer(node.inputs[3]!), offset, batch * rows, size, to);
}

/** Keys or values: the input itself, or with a cache (or a present output that is wanted) the past and the input in one place. */
function joined(
  spec: AttentionSpec,
  node: Node,
  to: Lowering,
  input: 1 | 2,
  past: number,
  present: number,
  strides: HeadStrides,
  size: number,
): { buffer: Buffer; strides: HeadStrides } {
  const given = projected(spec, node, to, input);
  const before = node.inputs[past] ?? null;
  const output = node.outputs[present] ?? null;
  if (before === null && output === null) return { buffer: given, strides };
  const { batch, kvHeads } = spec;
  const all = headsFirst(kvHeads, spec.past + spec.keys, size);
  const buffer = output === null ? to.scratch(4 * batch * all.batch) : to.buffer(output);
  const inOrder = ({ batch, head, row }: HeadStrides): number[] => [batch, head, row, 1];
  const copy = (from: Buffer, rows: number, steps: HeadStrides, first: number): void =>
    launchCopy(to, {
      bytes: 4,
      dims: [batch, kvHeads, rows, size],
      into: { buffer, start: first * size, strides: inOrder(all) },
      from: { buffer: from, start: 0, strides: inOrder(steps) },
    });
  if (before !== null) copy(to.buffer(before), spec.past, headsFirst(kvHeads, spec.past, size), 0);
  copy(given, spec.keys, strides, spec.past);
  return { buffer, strides: all };
}
