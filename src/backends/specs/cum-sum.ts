import type { Node } from "../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../tensor/index.js";
import { attributesOfNode, type Cost, constantInts, type NodeContext } from "./node.js";

const TYPES = ["float32", "int32", "int64"] as const;
type SumType = (typeof TYPES)[number];

export interface CumSumSpec {
  readonly dtype: SumType;
  readonly exclusive: boolean;
  readonly reverse: boolean;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

/** ONNX CumSum; null where its axis is not constant. */
export function cumSumSpec(node: Node, at: NodeContext): CumSumSpec | null {
  if (node.op !== "CumSum" || node.domain !== "") return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  const [given] = constantInts(node, 1, at) ?? [];
  if (!(TYPES as readonly string[]).includes(dtype) || given === undefined || shape.includes(0)) return null;
  const axis = normalizeAxis(given, shape.length);
  const a = attributesOfNode<{ exclusive: boolean; reverse: boolean }>(node);
  const [outer, inner] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
  return { dtype: dtype as SumType, exclusive: a.exclusive, reverse: a.reverse, outer, dim: shape[axis]!, inner };
}

export const cumSumCost = ({ outer, dim, inner }: CumSumSpec): Cost => ({
  multiplyAdds: outer * dim * inner,
  bytes: 8 * outer * dim * inner,
});
