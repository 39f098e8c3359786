import { is64BitInteger, NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";
import { checkShape, unknownDim } from "./dims.js";

/** ONNX Range: start, start + delta, … up to and without limit; three scalars of one dtype give a vector of it. */
export const range: Operator<null> = {
  name: "Range",
  domain: "",
  shapeInputs: [0, 1, 2],
  attributes: () => null,
  infer(inputs) {
    const scalars = [0, 1, 2].map((i) => need(inputs, i));
    const dtype = sameDtype(scalars.map((x) => x.type));
    const [start, limit, delta] = scalars.map((x) => x.value?.item());
    const known = start !== undefined && limit !== undefined && delta !== undefined;
    return [{ dtype, shape: [known ? rangeLength(start, limit, delta) : unknownDim()] }];
  },
  evaluate(inputs) {
    const first = need(inputs, 0);
    const step = need(inputs, 2);
    const [start, delta] = [first.item(), step.item()];
    const count = rangeLength(start, need(inputs, 1).item(), delta);
    if (is64BitInteger(first.dtype)) {
      const data = first.dtype === "int64" ? new BigInt64Array(count) : new BigUint64Array(count);
      let value = first.bigints()[0]!;
      const by = step.bigints()[0]!;
      for (let i = 0; i < count; i++, value += by) data[i] = value;
      return [new Tensor(first.dtype, [count], data)];
    }
    const values = numbersFor(first.dtype, count);
    for (let i = 0; i < count; i++) values[i] = start + i * delta;
    return [Tensor.from(first.dtype, [count], values)];
  },
};

function rangeLength(start: number, limit: number, delta: number): number {
  if (delta === 0) throw new NonzeroError("shape", "the step of the range is 0", { field: "delta" });
  const count = Math.max(0, Math.ceil((limit - start) / delta));
  checkShape([count]);
  return count;
}
