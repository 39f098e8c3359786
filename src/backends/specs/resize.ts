import type { Node, Value } from "../../graph/index.js";
import { type AxisWeights, axisWeights } from "../../ops/nn/interpolation.js";
import { type ResizeAttributes, resizedAxisScalings } from "../../ops/nn/resize.js";
import { sizeOf } from "../../tensor/index.js";
import {
  attributesOfNode,
  type Cost,
  constantInts,
  type ElementBytes,
  elementBytes,
  type NodeContext,
} from "./node.js";

/** One axis resized: [outer, input, inner] to [outer, output, inner]. */
export interface AxisStep {
  readonly outer: number;
  readonly input: number;
  readonly output: number;
  readonly inner: number;
  readonly weights: AxisWeights;
  /** What the weights depend on, as text. */
  readonly key: string;
}

export interface ResizeSpec {
  readonly bytes: ElementBytes;
  readonly nearest: boolean;
  /** The constant input that says how large. */
  readonly given: Value;
  /** One a resized axis, the innermost first. */
  readonly steps: readonly AxisStep[];
}

/** A constant list; null where the input is left out or empty, undefined where it is not constant. */
function listOf(node: Node, index: number, at: NodeContext): readonly number[] | null | undefined {
  if (index < 0) return null;
  const list = constantInts(node, index, at);
  return list?.length === 0 ? null : list;
}

/** ONNX Resize, axis by axis: any elements by nearest neighbour, float32 by linear and cubic interpolation; null for all else. */
export function resizeSpec(node: Node, at: NodeContext): ResizeSpec | null {
  if (node.op !== "Resize" || node.domain !== "") return null;
  const a = attributesOfNode<ResizeAttributes>(node);
  const { dtype, shape } = at.type(node.inputs[0]!);
  const bytes = elementBytes(node.inputs[0]!, at);
  const sizes = listOf(node, a.sizesAt, at);
  const scales = sizes === null ? listOf(node, a.scalesAt, at) : null;
  const nearest = a.mode === "nearest";
  if (bytes === null || sizes === undefined || scales === undefined || shape.includes(0)) return null;
  if (a.coordinateMode === "tf_crop_and_resize" || !(nearest || dtype === "float32")) return null;
  const scalings = resizedAxisScalings(shape, scales, sizes, null, a);
  const left = [...shape];
  const steps: AxisStep[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const scaling = scalings[axis]!;
    if (scaling.scale === 1 && scaling.output === scaling.input) continue;
    const weights = axisWeights(scaling, a);
    const { input, output } = scaling;
    const [outer, inner] = [sizeOf(left.slice(0, axis)), sizeOf(left.slice(axis + 1))];
    steps.push({ outer, input, output, inner, weights, key: JSON.stringify([scaling, a]) });
    left[axis] = output;
  }
  if (steps.length === 0 || left.includes(0)) return null;
  return { bytes, nearest, given: node.inputs[sizes === null ? a.scalesAt : a.sizesAt]!, steps };
}

export function resizeCost({ bytes, steps }: ResizeSpec): Cost {
  const elements = steps.reduce((sum, { outer, output, inner }) => sum + outer * output * inner, 0);
  return { multiplyAdds: 2 * elements, bytes: 2 * bytes * elements };
}
