import type { Node, Value } from "../../graph/index.js";
import { sizeOf, Tensor } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, otherInput, rewrite } from "../rewrite.js";

/**
 * Folds inference's BatchNormalization, and multiplication with and addition of a constant for each channel or for all, into the dense
 * Conv or ConvTranspose (of one group) before it: each output channel of the weight and its bias are scaled and shifted once. After anything else they stay.
 */
export const foldBatchNorm: Pass = {
  name: "fold-batch-norm",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      if (node.domain !== "") return null;
      const x = node.inputs.find((input) => convolutionOf(input, index) !== undefined);
      const conv = convolutionOf(x, index);
      const weight = index.tensor(conv?.inputs[1]);
      const bias = conv?.inputs[2] ? index.tensor(conv.inputs[2]) : null;
      if (!x || conv === undefined || weight?.dtype !== "float32" || bias === undefined || index.uses(x) !== 1)
        return null;
      const affine =
        affineOf(node, index) ??
        channelwise(node, x, weight.shape.length, weight.shape[conv.op === "Conv" ? 0 : 1]!, index);
      if (affine === null) return null;
      const { scale, shift } = affine;
      // [outputs, inputs, kernel…] for a Conv, [inputs, outputs, kernel…] for a ConvTranspose.
      const each = sizeOf(weight.shape.slice(conv.op === "Conv" ? 1 : 2));
      const values = weight.numbers();
      const scaled = Float32Array.from(values, (value, i) => value * scale[Math.floor(i / each) % scale.length]!);
      const biases = bias?.numbers();
      const shifted = Float32Array.from(scale, (factor, o) => (biases?.[o] ?? 0) * factor + shift[o]!);
      const w = index.addConstant(new Tensor("float32", weight.shape, scaled), `${conv.inputs[1]!.name}/normalized`);
      const b = index.addConstant(new Tensor("float32", [scale.length], shifted), `${node.name || conv.name}/bias`);
      const folded = { ...conv, inputs: [conv.inputs[0]!, w, b], outputs: node.outputs.slice(0, 1) };
      index.note(folded);
      return [folded];
    }),
};

/** The Conv, or ConvTranspose of one group, that makes a value. */
function convolutionOf(value: Value | null | undefined, index: GraphIndex): Node | undefined {
  const transposed = index.madeBy(value, "ConvTranspose");
  const group = transposed?.attributes.get("group")?.value ?? 1;
  return index.madeBy(value, "Conv") ?? (group === 1 ? transposed : undefined);
}

interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** y = scale · x + shift per channel, of a Mul or Add of the Conv's result x and a constant: one number, or [1, C, 1, …], [C, 1, …]. */
function channelwise(node: Node, x: Value, rank: number, channels: number, index: GraphIndex): Affine | null {
  const constant = index.tensor(otherInput(node, x));
  if ((node.op !== "Mul" && node.op !== "Add") || constant?.dtype !== "float32") return null;
  const axis = constant.shape.length - (rank - 1);
  const single = constant.size === 1 && constant.shape.length <= rank;
  if (!single && (constant.size !== channels || (axis !== 0 && axis !== 1) || constant.shape[axis] !== channels))
    return null;
  const numbers = constant.numbers();
  const values = Float64Array.from({ length: channels }, (_, c) => numbers[single ? 0 : c]!);
  return node.op === "Mul"
    ? { scale: values, shift: new Float64Array(channels) }
    : { scale: new Float64Array(channels).fill(1), shift: values };
}

/** y = scale · x + shift per channel, of an inference BatchNormalization with constant statistics. */
function affineOf(node: Node, index: GraphIndex): Affine | null {
  if (node.op !== "BatchNormalization" || node.domain !== "") return null;
  if (node.outputs.slice(1).some((output) => output !== null && index.uses(output) > 0)) return null;
  const training = node.attributes.get("training_mode");
  if (training?.kind === "int" && training.value !== 0) return null;
  const [gamma, beta, mean, variance] = node.inputs.slice(1).map((input) => index.tensor(input)?.numbers());
  if (!gamma || !beta || !mean || !variance) return null;
  const attribute = node.attributes.get("epsilon");
  const epsilon = attribute?.kind === "float" ? attribute.value : 1e-5;
  const scale = Float64Array.from(gamma as Float32Array, (g, c) => g / Math.sqrt(variance[c]! + epsilon));
  const shift = Float64Array.from(scale, (factor, c) => beta[c]! - mean[c]! * factor);
  return { scale, shift };
}
