import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { seedOf } from "./generated.js";
import { uniformOf } from "./mersenne-twister.js";

interface DropoutAttributes {
  readonly seed: number | null;
  /** Before opset 10 the mask has the input's dtype. */
  readonly boolMask: boolean;
}

/**
 * ONNX Dropout: the input itself, or, from opset 12 with training_mode (input 2), each element zeroed with probability
 * `ratio` (input 1, 0.5 by default) and the others multiplied by 1 / (1 − ratio). The second output is the mask of what
 * is kept. With a seed every evaluation drops the same elements; streams differ from other runtimes'.
 */
export const dropout: Operator<DropoutAttributes> = {
  name: "Dropout",
  domain: "",
  deterministic: false,
  attributes: (node) => ({ seed: node.version >= 12 ? seedOf(node) : null, boolMask: node.version >= 10 }),
  infer(inputs, { boolMask }) {
    const { type } = need(inputs, 0);
    return [type, boolMask ? { dtype: "bool", shape: type.shape } : type];
  },
  evaluate(inputs, { seed, boolMask }) {
    const x = need(inputs, 0);
    const ratio = inputs[1]?.item() ?? 0.5;
    if (!(ratio >= 0 && ratio <= 1)) throw new NonzeroError("shape", `${ratio} is no probability`, { field: "ratio" });
    const training = inputs[2] != null && inputs[2].item() !== 0;
    const mask = new Uint8Array(x.size).fill(1);
    const maskTensor = (): Tensor => Tensor.from(boolMask ? "bool" : x.dtype, x.shape, mask);
    if (!training || ratio === 0) return [x, maskTensor()];
    const uniform = uniformOf(seed);
    const values = x.numbers();
    const kept = numbersFor(x.dtype, values.length);
    for (let i = 0; i < kept.length; i++) {
      mask[i] = uniform() >= ratio ? 1 : 0;
      kept[i] = mask[i] === 1 ? values[i]! / (1 - ratio) : 0;
    }
    return [Tensor.from(x.dtype, x.shape, kept), maskTensor()];
  },
};
