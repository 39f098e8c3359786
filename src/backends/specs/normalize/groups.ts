import type { Node, Value } from "../../../graph/index.js";
import { sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

export interface GroupSpec {
  readonly batch: number;
  readonly channels: number;
  readonly plane: number;
  readonly groups: number;
  readonly epsilon: number;
  /** Scale and bias are one a group rather than one a channel. */
  readonly perGroup: boolean;
}

/** ONNX GroupNormalization and InstanceNormalization of float32; null for all else. */
export function groupNormalizationSpec(node: Node, at: NodeContext): GroupSpec | null {
  if (node.domain !== "" || (node.op !== "GroupNormalization" && node.op !== "InstanceNormalization")) return null;
  const [x, scale, bias] = node.inputs as [Value, Value, Value];
  const { dtype, shape } = at.type(x);
  const floats = [x, scale, bias].every((value) => at.type(value).dtype === "float32");
  if (!floats || dtype !== "float32" || shape.length < 2 || shape.includes(0)) return null;
  const [batch, channels] = shape as [number, number];
  const a = attributesOfNode<{ epsilon: number; groups?: number }>(node);
  const groups = a.groups ?? channels;
  const weights = sizeOf(at.type(scale).shape);
  if (channels % groups !== 0 || (weights !== channels && weights !== groups)) return null;
  if (sizeOf(at.type(bias).shape) !== weights) return null;
  const plane = sizeOf(shape.slice(2));
  return { batch, channels, plane, groups, epsilon: a.epsilon, perGroup: weights !== channels };
}

export const groupNormalizationCost = ({ batch, channels, plane }: GroupSpec): Cost => {
  const size = batch * channels * plane;
  return { multiplyAdds: 4 * size, bytes: 8 * size };
};
