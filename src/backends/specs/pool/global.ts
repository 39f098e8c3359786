import type { Node } from "../../../graph/index.js";
import type { Cost, NodeContext } from "../node.js";

/** One number of each of `planes` planes of `size` elements. */
export interface GlobalPoolSpec {
  readonly reduction: "max" | "average";
  readonly planes: number;
  readonly size: number;
}

/** The pooling that a GlobalAveragePool or GlobalMaxPool stands for, or null: other dtypes than float32, empty planes. */
export function globalPoolSpec(node: Node, at: NodeContext): GlobalPoolSpec | null {
  const average = node.op === "GlobalAveragePool";
  if (node.domain !== "" || !(average || node.op === "GlobalMaxPool")) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  const size = shape.slice(2).reduce((a, b) => a * b, 1);
  if (dtype !== "float32" || size === 0) return null;
  return { reduction: average ? "average" : "max", planes: shape[0]! * shape[1]!, size };
}

export const globalPoolCost = ({ planes, size }: GlobalPoolSpec): Cost => ({
  multiplyAdds: planes * size,
  bytes: 4 * planes * (size + 1),
});
