import { type DataType, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { optionalDtype, seedOf } from "./generated.js";
import { uniformOf } from "./mersenne-twister.js";

interface BernoulliAttributes {
  /** Null takes the input's. */
  readonly dtype: DataType | null;
  readonly seed: number | null;
}

/** ONNX Bernoulli: 1 with the probability that the input's element is, 0 otherwise. Streams differ from other runtimes'. */
export const bernoulli: Operator<BernoulliAttributes> = {
  name: "Bernoulli",
  domain: "",
  deterministic: false,
  attributes: (node) => ({ dtype: optionalDtype(node), seed: seedOf(node) }),
  infer: (inputs, a) => [{ ...need(inputs, 0).type, dtype: a.dtype ?? need(inputs, 0).type.dtype }],
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const probabilities = x.numbers();
    const uniform = uniformOf(a.seed);
    const ones = new Uint8Array(probabilities.length);
    for (let i = 0; i < ones.length; i++) ones[i] = uniform() < probabilities[i]! ? 1 : 0;
    return [Tensor.from(a.dtype ?? x.dtype, x.shape, ones)];
  },
};
