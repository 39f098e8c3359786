import type { Node } from "../../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

export interface ArgSpec {
  readonly op: "ArgMax" | "ArgMin";
  readonly selectLast: boolean;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

/** ONNX ArgMax and ArgMin of float32; null for all else. */
export function argExtremeSpec(node: Node, at: NodeContext): ArgSpec | null {
  if (node.domain !== "" || (node.op !== "ArgMax" && node.op !== "ArgMin")) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  if (dtype !== "float32" || shape.includes(0)) return null;
  const a = attributesOfNode<{ axis: number; selectLastIndex: boolean }>(node);
  const axis = normalizeAxis(a.axis, shape.length);
  return {
    op: node.op,
    selectLast: a.selectLastIndex,
    outer: sizeOf(shape.slice(0, axis)),
    dim: shape[axis]!,
    inner: sizeOf(shape.slice(axis + 1)),
  };
}

export const argExtremeCost = ({ outer, dim, inner }: ArgSpec): Cost => ({
  multiplyAdds: outer * dim * inner,
  bytes: 4 * outer * dim * inner,
});
