import type { Node, Value } from "../../../graph/index.js";
import { sizeOf } from "../../../tensor/index.js";
import { attributesOfNode, type Cost, type NodeContext } from "../node.js";

export interface BatchSpec {
  readonly batch: number;
  readonly channels: number;
  readonly plane: number;
  readonly epsilon: number;
}

/** ONNX BatchNormalization of float32 by given statistics; null for all else. */
export function batchNormalizationSpec(node: Node, at: NodeContext): BatchSpec | null {
  if (node.op !== "BatchNormalization" || node.domain !== "") return null;
  const { shape } = at.type(node.inputs[0]!);
  const { epsilon, training, spatial } = attributesOfNode<{ epsilon: number; training: boolean; spatial: boolean }>(
    node,
  );
  const [batch, channels] = shape as [number, number];
  const fits = (node.inputs as readonly Value[]).every((input, i) => {
    const type = at.type(input);
    return type.dtype === "float32" && (i === 0 || sizeOf(type.shape) === channels);
  });
  if (training || !spatial || shape.length < 2 || !fits || shape.includes(0)) return null;
  return { batch, channels, plane: sizeOf(shape.slice(2)), epsilon };
}

export const batchNormalizationCost = ({ batch, channels, plane }: BatchSpec): Cost => {
  const size = batch * channels * plane;
  return { multiplyAdds: size, bytes: 8 * size };
};
