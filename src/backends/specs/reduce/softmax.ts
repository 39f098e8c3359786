import type { Node } from "../../../graph/index.js";
import { normalizeAxis, sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

export interface SoftmaxSpec {
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
  readonly log: boolean;
}

/** ONNX Softmax and LogSoftmax of float32, the input seen from its axis; null for all else. */
export function softmaxSpec(node: Node, at: NodeContext): SoftmaxSpec | null {
  if (node.domain !== "" || (node.op !== "Softmax" && node.op !== "LogSoftmax")) return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  if (dtype !== "float32") return null;
  const { axis, flatten } = attributesOfNode<{ axis: number; flatten: boolean }>(node);
  const first = flatten && axis === shape.length ? axis : normalizeAxis(axis, shape.length);
  const outer = sizeOf(shape.slice(0, first));
  const isLog = node.op === "LogSoftmax";
  if (flatten) return { outer, dim: sizeOf(shape.slice(first)), inner: 1, log: isLog };
  return { outer, dim: shape[first]!, inner: sizeOf(shape.slice(first + 1)), log: isLog };
}

export const softmaxCost = ({ outer, dim, inner }: SoftmaxSpec): Cost => ({
  multiplyAdds: 20 * outer * dim * inner,
  bytes: 8 * outer * dim * inner,
});
