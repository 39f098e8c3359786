import { type DataType, NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";
import { seedOf } from "./generated.js";
import { uniformOf } from "./mersenne-twister.js";

interface MultinomialAttributes {
  readonly dtype: DataType;
  readonly count: number;
  readonly seed: number | null;
}

/** ONNX Multinomial: `sample_size` class indices for each row of unnormalized log probabilities [batch, classes]. Streams differ from other runtimes'. */
export const multinomial: Operator<MultinomialAttributes> = {
  name: "Multinomial",
  domain: "",
  deterministic: false,
  attributes(node) {
    const count = node.int("sample_size", 1);
    if (count < 0) node.fail("sample_size", `${count} is negative`);
    return { dtype: dtypeOfCode(node.int("dtype", 6), "dtype"), count, seed: seedOf(node) };
  },
  infer(inputs, { dtype, count }) {
    const { shape } = need(inputs, 0).type;
    return [{ dtype, shape: shape === null ? null : [shape[0]!, count] }];
  },
  evaluate(inputs, { dtype, count, seed }) {
    const x = need(inputs, 0);
    if (x.shape.length !== 2) throw new NonzeroError("shape", `expected [batch, classes], found [${x.shape}]`);
    const [batch, classes] = x.shape as [number, number];
    const values = x.numbers();
    const uniform = uniformOf(seed);
    const samples = new Int32Array(batch * count);
    const cumulative = new Float64Array(classes);
    for (let row = 0; row < batch; row++) {
      let max = Number.NEGATIVE_INFINITY;
      for (let c = 0; c < classes; c++) max = Math.max(max, values[row * classes + c]!);
      let total = 0;
      for (let c = 0; c < classes; c++) {
        total += Math.exp(values[row * classes + c]! - max);
        cumulative[c] = total;
      }
      for (let i = 0; i < count; i++) {
        const at = uniform() * total;
        let c = 0;
        while (c < classes - 1 && cumulative[c]! <= at) c++;
        samples[row * count + i] = c;
      }
    }
    return [Tensor.from(dtype, [batch, count], samples)];
  },
};
