import type { Operator } from "../operator.js";
import { negativeLogLikelihoodLoss } from "./negative-log-likelihood.js";
import { softmaxCrossEntropyLoss } from "./softmax-cross-entropy.js";

/** Losses of the ONNX training operators. */
export const lossOperators: readonly Operator[] = [negativeLogLikelihoodLoss, softmaxCrossEntropyLoss];
