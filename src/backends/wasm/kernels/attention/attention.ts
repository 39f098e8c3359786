import type { Node } from "../../../../graph/index.js";
import { type HeadStrides, headsFirst } from "../../../../ops/nn/attend.js";
import { type AttentionSpec, attentionCost, attentionSpec } from "../../../specs/attention.js";
import { type Argument, type Buffer, floatArgument, type Kernel, type Lowering } from "../../kernel.js";
import { attendBlocks, BLOCK_ROWS, blockScratchBytes } from "./block.js";
import { copyHeads } from "./cache.js";
import type { Masking } from "./items.js";
import { addBias, paddingMask } from "./multi-head.js";
import { attendRows, rowScratchBytes } from "./row.js";

export interface AttentionSchedule {
  /** With fewer queries than this, one at a time; else in blocks. */
  readonly blocksFrom: number;
  /** Chunks a thread. Each has scratch memory of its own. */
  readonly chunksPerThread: number;
}

/**
 * ONNX Attention and com.microsoft MultiHeadAttention, float32: softmax(q·kᵀ · scale + mask) · v without the matrix of scores.
 * Heads may be an axis or lie side by side, keys and values may have fewer heads, masks broadcast, caches (past, present) are joined
 * first. Values of hidden keys are multiplied by zero: they must be finite.
 */
export const attention: Kernel<AttentionSpec, AttentionSchedule> = {
  name: "attention",
  match: attentionSpec,
  schedules({ queries }, { threads }) {
    const usual: AttentionSchedule = { blocksFrom: 6, chunksPerThread: 8 };
    const otherWay = { ...usual, blocksFrom: queries < usual.blocksFrom ? queries : queries + 1 };
    const chunks = [2, 32].map((chunksPerThread) => ({ ...usual, chunksPerThread }));
    // One at a time is out of the question for many queries, and how work is cut is all the same to a single thread.
    return [usual, ...(queries > 1 && queries <= 24 ? [otherWay] : []), ...(threads > 1 ? chunks : [])];
  },
  lower(spec, schedule, node, to) {
    const { batch, heads, queries, headSize, valueSize } = spec;
    const { pastKey, pastValue, presentKey, presentValue } = spec.at;
    const query = projected(spec, node, to, 0);
    const keys = joined(spec, node, to, 1, pastKey, presentKey, spec.k, headSize);
    const values = joined(spec, node, to, 2, pastValue, presentValue, spec.v, valueSize);
    const inBlocks = queries >= schedule.blocksFrom;
    const blocks = inBlocks ? Math.ceil(queries / BLOCK_ROWS) : queries;
    const items = batch * heads * blocks;
    if (items === 0) return;
    const masking: Masking = { mask: spec.mask?.dtype ?? "none", causal: spec.position !== null };
    const seen = spec.mask?.keys ?? spec.past + spec.keys;
    const chunks = Math.min(items, to.device.threads * schedule.chunksPerThread);
    const bytes = 64 * Math.ceil((inBlocks ? blockScratchBytes(headSize, valueSize) : rowScratchBytes(seen)) / 64);
    const given = spec.mask === null ? 0 : to.buffer(node.inputs[spec.at.mask]!);
    const { padding } = spec;
    const mask =
      padding === null
        ? given
        : paddingMask(given as Buffer, padding.form === "lengths", batch, seen, padding.hidden, to);
    const width = spec.mask?.dtype === "bool" ? 1 : 4;
    const strides = ({ batch, head, row }: HeadStrides): number[] => [4 * batch, 4 * head, 4 * row];
    const args: Argument[] = [
      query,
      keys.buffer,
      values.buffer,
      to.buffer(node.outputs[0]!),
      mask,
      to.scratch(bytes * chunks),
      bytes,
      chunks,
      items,
      blocks,
      heads,
      heads / spec.kvHeads,
      queries,
      seen,
      headSize,
      valueSize,
      ...strides(spec.q),
      ...strides(keys.strides),
      ...strides(values.strides),
      ...strides(spec.y),
      ...(spec.mask?.strides ?? [0, 0, 0, 0]).map((stride) => stride * width),
      spec.position ?? 0,
      floatArgument(spec.scale),
    ];
    to.launch((inBlocks ? attendBlocks : attendRows)(masking), args, chunks);
  },
  cost: attentionCost,
};

/** Query (0), keys (1) or values (2) as given, or with their part of the bias; keys and values of four axes get none. */
function projected(spec: AttentionSpec, node: Node, to: Lowering, input: 0 | 1 | 2): Buffer {
  const value = node.inputs[input]!;
  const { shape } = to.type(value);
  if (!spec.biased || shape.length !== 3) return to.buffer(value);
  const [batch, rows, size] = shape as [number, number, number];
  const offset = 4 * input * spec.heads * spec.headSize;
  return addBias(to.buffer(value), { buffer: to.buffer(node.inputs[3]!), offset }, batch * rows, size, to);
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
  const rows = spec.past + spec.keys;
  const all = headsFirst(spec.kvHeads, rows, size);
  const buffer = output === null ? to.scratch(4 * spec.batch * all.batch) : to.buffer(output);
  const copy = (from: Buffer, count: number, steps: HeadStrides, first: number): void => {
    if (count * size === 0) return;
    const { batch, head, row } = steps;
    const args = [
      from,
      buffer,
      spec.kvHeads,
      count,
      4 * size,
      4 * batch,
      4 * head,
      4 * row,
      4 * all.head,
      4 * first * size,
    ];
    to.launch(copyHeads, args, spec.batch * spec.kvHeads);
  };
  if (before !== null) copy(to.buffer(before), spec.past, headsFirst(spec.kvHeads, spec.past, size), 0);
  copy(given, spec.keys, strides, spec.past);
  return { buffer, strides: all };
}
