import type { ValueType } from "../../graph/index.js";
import { NonzeroError, sizeOf, Tensor } from "../../tensor/index.js";
import { need, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { type LossAttributes, lossAttributes } from "./loss-attributes.js";

/**
 * ONNX NegativeLogLikelihoodLoss: −weight[target] · input[n, target, d…] for log probabilities [N, C, d…], class targets
 * [N, d…] and optional weights [C]; as [N, d…], or summed, or averaged (divided by the sum of the weights) to a scalar.
 */
export const negativeLogLikelihoodLoss: Operator<LossAttributes> = {
  name: "NegativeLogLikelihoodLoss",
  domain: "",
  attributes: lossAttributes,
  infer: (inputs, a) => [lossType(need(inputs, 0).type, need(inputs, 1).type, a)],
  evaluate: (inputs, a) => [negativeLogLikelihood(need(inputs, 0), need(inputs, 1), inputs[2] ?? null, a)],
};

/** Type of the loss for scores [N, C, d…] and targets [N, d…]. */
export function lossType(scores: ValueType, target: ValueType, { reduction }: LossAttributes): ValueType {
  if (scores.shape !== null && target.shape !== null) {
    const rest = scores.shape.toSpliced(1, 1);
    if (scores.shape.length < 2 || rest.length !== target.shape.length)
      throw new NonzeroError("shape", `targets [${target.shape}] do not fit scores [${scores.shape}]`);
    rest.forEach((dim, i) => unifyDim(dim, target.shape![i]!, "dimensions of scores and targets"));
  }
  return { dtype: scores.dtype, shape: reduction === "none" ? target.shape : [] };
}

/** The loss of log probabilities; sums are doubles, rounded once. */
export function negativeLogLikelihood(
  logProbabilities: Tensor,
  target: Tensor,
  weight: Tensor | null,
  a: LossAttributes,
): Tensor {
  lossType(logProbabilities, target, a);
  const classes = logProbabilities.shape[1]!;
  const inner = sizeOf(logProbabilities.shape.slice(2));
  if (weight !== null && weight.size !== classes)
    throw new NonzeroError("shape", `weights [${weight.shape}] for ${classes} classes`, { field: "weight" });
  const [values, labels, weights] = [logProbabilities.numbers(), target.numbers(), weight?.numbers()];
  const losses = new Float64Array(labels.length);
  let [sum, total] = [0, 0];
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label === a.ignoreIndex) continue;
    if (label < 0 || label >= classes) throw new NonzeroError("shape", `target ${label} is none of ${classes} classes`);
    const w = weights === undefined ? 1 : weights[label]!;
    losses[i] = -w * values[(Math.floor(i / inner) * classes + label) * inner + (i % inner)]!;
    sum += losses[i]!;
    total += w;
  }
  if (a.reduction === "none") return Tensor.from(logProbabilities.dtype, target.shape, losses);
  return Tensor.scalar(logProbabilities.dtype, a.reduction === "sum" ? sum : sum / total);
}
