import type { Node } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import type { Pass } from "../pass.js";
import { type GraphIndex, rewrite } from "../rewrite.js";

/**
 * Folds inference's BatchNormalization into the dense Conv before it: each output channel of the weight and its bias are scaled
 * once. After anything else it stays as it is.
 */
export const foldBatchNorm: Pass = {
  name: "fold-batch-norm",
  run: (graph) =>
    rewrite(graph, (node, index) => {
      const affine = affineOf(node, index);
      if (affine === null) return null;
      const x = node.inputs[0]!;
      const conv = index.madeBy(x, "Conv");
      const weight = index.tensor(conv?.inputs[1]);
      const bias = conv?.inputs[2] ? index.tensor(conv.inputs[2]) : null;
      if (conv === undefined || weight?.dtype !== "float32" || bias === undefined || index.uses(x) !== 1) return null;
      const { scale, shift } = affine;
      const perChannel = weight.size / scale.length;
      const values = weight.numbers();
      const scaled = Float32Array.from(values, (value, i) => value * scale[Math.floor(i / perChannel)]!);
      const biases = bias?.numbers();
      const shifted = Float32Array.from(scale, (factor, o) => (biases?.[o] ?? 0) * factor + shift[o]!);
      const w = index.addConstant(new Tensor("float32", weight.shape, scaled), `${conv.inputs[1]!.name}/normalized`);
      const b = index.addConstant(new Tensor("float32", [scale.length], shifted), `${node.name || conv.name}/bias`);
      return [{ ...conv, inputs: [conv.inputs[0]!, w, b], outputs: node.outputs.slice(0, 1) }];
    }),
};

/** y = scale · x + shift per channel, of an inference BatchNormalization with constant statistics. */
function affineOf(node: Node, index: GraphIndex): { scale: Float64Array; shift: Float64Array } | null {
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
