import type { Node, Value } from "../../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type ElementBytes, elementBytes, type NodeContext } from "../node.js";

export interface GatherSpec {
  readonly outer: number;
  /** Length of the axis that the indices speak of. */
  readonly dim: number;
  readonly count: number;
  /** Elements that each index brings. */
  readonly run: number;
  readonly bytes: ElementBytes;
  readonly indexType: "int32" | "int64";
}

/** ONNX Gather; null for all else. */
export function gatherSpec(node: Node, at: NodeContext): GatherSpec | null {
  if (node.op !== "Gather" || node.domain !== "") return null;
  const [x, indices] = node.inputs as [Value, Value];
  const { shape } = at.type(x);
  const { dtype: indexType, shape: indexShape } = at.type(indices);
  const bytes = elementBytes(x, at);
  const axis = normalizeAxis(attributesOfNode<{ axis: number }>(node).axis, shape.length);
  if (bytes === null || (indexType !== "int32" && indexType !== "int64") || shape[axis] === 0) return null;
  return {
    outer: sizeOf(shape.slice(0, axis)),
    dim: shape[axis]!,
    count: sizeOf(indexShape),
    run: sizeOf(shape.slice(axis + 1)),
    bytes,
    indexType,
  };
}

export const gatherCost = ({ outer, count, run, bytes }: GatherSpec): Cost => ({
  multiplyAdds: 0,
  bytes: 2 * outer * count * run * bytes,
});
