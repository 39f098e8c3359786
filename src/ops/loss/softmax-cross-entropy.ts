import { need } from "../infer.js";
import { logSoftmax } from "../math/log-softmax.js";
import type { Operator } from "../operator.js";
import { type LossAttributes, lossAttributes } from "./loss-attributes.js";
import { lossType, negativeLogLikelihood } from "./negative-log-likelihood.js";

/**
 * ONNX SoftmaxCrossEntropyLoss: the negative log likelihood of the log softmax over axis 1 of scores [N, C, d…]; the log
 * softmax is the second output.
 */
export const softmaxCrossEntropyLoss: Operator<LossAttributes> = {
  name: "SoftmaxCrossEntropyLoss",
  domain: "",
  attributes: lossAttributes,
  infer: (inputs, a) => [lossType(need(inputs, 0).type, need(inputs, 1).type, a), need(inputs, 0).type],
  evaluate(inputs, a, context) {
    const logProbabilities = logSoftmax.evaluate([need(inputs, 0)], { axis: 1, flatten: false }, context)[0]!;
    return [negativeLogLikelihood(logProbabilities, need(inputs, 1), inputs[2] ?? null, a), logProbabilities];
  },
};
