import type { Node, Value } from "../../../graph/index.js";
import { broadcastStrides, normalizeAxis, sizeOf, stridesOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, constantInts, elementBytes, type NodeContext } from "../node.js";

/** A copy between values of the node: which input, which output. */
export interface ValueCopy {
  readonly input: Value;
  readonly output: Value;
  readonly dims: readonly number[];
  readonly into: { readonly start: number; readonly strides: readonly number[] };
  readonly from: { readonly start: number; readonly strides: readonly number[] };
}

/** An operator that is nothing but copies, all from and to whole, row-major values. */
export interface CopyOperator {
  readonly name: string;
  /** The copies of a node, null where it is none of this operator's or they are not known. */
  spec(node: Node, at: NodeContext): readonly ValueCopy[] | null;
}

const copies = (
  name: string,
  operator: string,
  plan: (node: Node, at: NodeContext) => readonly ValueCopy[] | null,
): CopyOperator => ({
  name,
  spec(node, at) {
    if (node.domain !== "" || node.op !== operator) return null;
    const moved = [node.inputs[0], ...node.outputs].filter((value) => value != null);
    return moved.every((value) => elementBytes(value, at) !== null) ? plan(node, at) : null;
  },
});

export const copiesCost = (copies: readonly ValueCopy[]): Cost => ({
  multiplyAdds: 0,
  bytes: copies.reduce((sum, { dims }) => sum + 8 * sizeOf(dims), 0),
});

/** Output axis i is axis perm[i] of the input seen as `shape`. */
function permuted(node: Node, shape: readonly number[], perm: readonly number[]): ValueCopy[] {
  const dims = perm.map((axis) => shape[axis]!);
  const strides = stridesOf(shape);
  return [
    {
      input: node.inputs[0]!,
      output: node.outputs[0]!,
      dims,
      into: { start: 0, strides: stridesOf(dims) },
      from: { start: 0, strides: perm.map((axis) => strides[axis]!) },
    },
  ];
}

const transpose = copies("transpose", "Transpose", (node, at) => {
  const { shape } = at.type(node.inputs[0]!);
  const { perm } = attributesOfNode<{ perm: readonly number[] | null }>(node);
  const rank = shape.length;
  const axes = perm?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? shape.map((_, i) => rank - 1 - i);
  return permuted(node, shape, axes);
});

const depthToSpace = copies("depth to space", "DepthToSpace", (node, at) => {
  const { block, mode } = attributesOfNode<{ block: number; mode: "DCR" | "CRD" }>(node);
  const [batch, channels, height, width] = at.type(node.inputs[0]!).shape as [number, number, number, number];
  const depth = channels / (block * block);
  return mode === "DCR"
    ? permuted(node, [batch, block, block, depth, height, width], [0, 3, 4, 1, 5, 2])
    : permuted(node, [batch, depth, block, block, height, width], [0, 1, 4, 2, 5, 3]);
});

const spaceToDepth = copies("space to depth", "SpaceToDepth", (node, at) => {
  const { block } = attributesOfNode<{ block: number }>(node);
  const [batch, channels, height, width] = at.type(node.inputs[0]!).shape as [number, number, number, number];
  return permuted(node, [batch, channels, height / block, block, width / block, block], [0, 3, 5, 1, 2, 4]);
});

const expand = copies("expand", "Expand", (node, at) => {
  const [input, output] = [node.inputs[0]!, node.outputs[0]!];
  const dims = at.type(output).shape;
  const strides = broadcastStrides(at.type(input).shape, dims);
  return [{ input, output, dims, into: { start: 0, strides: stridesOf(dims) }, from: { start: 0, strides } }];
});

const tile = copies("tile", "Tile", (node, at) => {
  const [input, output] = [node.inputs[0]!, node.outputs[0]!];
  const { shape } = at.type(input);
  const target = at.type(output).shape;
  const into = stridesOf(target);
  const from = stridesOf(shape);
  if (shape.includes(0)) return [];
  return [
    {
      input,
      output,
      dims: shape.flatMap((dim, axis) => [target[axis]! / dim, dim]),
      into: { start: 0, strides: shape.flatMap((dim, axis) => [into[axis]! * dim, into[axis]!]) },
      from: { start: 0, strides: shape.flatMap((_, axis) => [0, from[axis]!]) },
    },
  ];
});

/** The parts of a whole along `axis`, one after the other; `split` copies from the whole to the parts. */
function partsCopies(
  whole: Value,
  parts: readonly (Value | null)[],
  lengths: readonly number[],
  axis: number,
  at: NodeContext,
  split: boolean,
): ValueCopy[] {
  const strides = stridesOf(at.type(whole).shape);
  let start = 0;
  return parts.flatMap((part, i) => {
    const inWhole = { start: start * strides[axis]!, strides };
    start += lengths[i]!;
    if (part === null) return [];
    const dims = at.type(part).shape;
    const inPart = { start: 0, strides: stridesOf(dims) };
    const [from, into] = split ? [inWhole, inPart] : [inPart, inWhole];
    return [{ input: split ? whole : part, output: split ? part : whole, dims, into, from }];
  });
}

const concat = copies("concat", "Concat", (node, at) => {
  const output = node.outputs[0]!;
  const axis = normalizeAxis(attributesOfNode<{ axis: number }>(node).axis, at.type(output).shape.length);
  const lengths = node.inputs.map((input) => at.type(input!).shape[axis]!);
  return partsCopies(output, node.inputs, lengths, axis, at, false);
});

const split = copies("split", "Split", (node, at) => {
  const input = node.inputs[0]!;
  const axis = normalizeAxis(attributesOfNode<{ axis: number }>(node).axis, at.type(input).shape.length);
  if (node.outputs.includes(null)) return null;
  const lengths = node.outputs.map((output) => at.type(output!).shape[axis]!);
  return partsCopies(input, node.outputs, lengths, axis, at, true);
});

interface SliceBounds {
  readonly bounds: { readonly starts: readonly number[]; readonly axes: readonly number[] | undefined } | null;
}

const slice = copies("slice", "Slice", (node, at) => {
  const [input, output] = [node.inputs[0]!, node.outputs[0]!];
  const { bounds } = attributesOfNode<SliceBounds>(node);
  const starts = bounds?.starts ?? constantInts(node, 1, at);
  const axes = bounds === null ? constantInts(node, 3, at) : bounds.axes;
  const steps = bounds === null ? constantInts(node, 4, at) : null;
  if (starts == null || (bounds === null && axes === undefined) || steps === undefined) return null;
  const { shape } = at.type(input);
  const dims = at.type(output).shape;
  const strides = stridesOf(shape);
  let start = 0;
  if (!dims.includes(0)) {
    starts.forEach((first, i) => {
      const axis = normalizeAxis(axes?.[i] ?? i, shape.length);
      const dim = shape[axis]!;
      const step = steps?.[i] ?? 1;
      const from = first < 0 ? first + dim : first;
      start += Math.min(Math.max(from, 0), step > 0 ? dim : dim - 1) * strides[axis]!;
      strides[axis]! *= step;
    });
  }
  return [{ input, output, dims, into: { start: 0, strides: stridesOf(dims) }, from: { start, strides } }];
});

export const copyOperators: readonly CopyOperator[] = [
  transpose,
  concat,
  split,
  slice,
  expand,
  tile,
  depthToSpace,
  spaceToDepth,
];
