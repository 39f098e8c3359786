import type { Node } from "../../../graph/index.js";
import { sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

export interface LrnSpec {
  readonly batch: number;
  readonly channels: number;
  readonly plane: number;
  readonly alpha: number;
  readonly beta: number;
  readonly bias: number;
  readonly size: number;
}

/** ONNX LRN of float32; null for all else. */
export function localResponseSpec(node: Node, at: NodeContext): LrnSpec | null {
  if (node.op !== "LRN" || node.domain !== "") return null;
  const { dtype, shape } = at.type(node.inputs[0]!);
  if (dtype !== "float32" || shape.length < 2 || shape.includes(0)) return null;
  const a = attributesOfNode<Pick<LrnSpec, "alpha" | "beta" | "bias" | "size">>(node);
  return { batch: shape[0]!, channels: shape[1]!, plane: sizeOf(shape.slice(2)), ...a };
}

export const localResponseCost = ({ batch, channels, plane, size }: LrnSpec): Cost => {
  const elements = batch * channels * plane;
  return { multiplyAdds: elements * (size + 20), bytes: 8 * elements };
};
