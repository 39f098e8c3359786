import { NonzeroError, normalizeAxis, stridesOf } from "../../tensor/index.js";
import { offsetsOf } from "../elementwise.js";
import { intsOf, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { pick } from "./move.js";

interface ReverseSequenceAttributes {
  readonly batchAxis: number;
  readonly timeAxis: number;
}

/** ONNX ReverseSequence: for each batch entry, the first sequence_lens[entry] steps of the time axis in reverse; the rest as it is. */
export const reverseSequence: Operator<ReverseSequenceAttributes> = {
  name: "ReverseSequence",
  domain: "",
  attributes: (node) => ({ batchAxis: node.int("batch_axis", 1), timeAxis: node.int("time_axis", 0) }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const lengths = intsOf(need(inputs, 1));
    const batch = normalizeAxis(a.batchAxis, x.shape.length);
    const time = normalizeAxis(a.timeAxis, x.shape.length);
    const [entries, steps] = [x.shape[batch]!, x.shape[time]!];
    const fits = batch !== time && lengths.length === entries && lengths.every((n) => n >= 0 && n <= steps);
    if (!fits)
      throw new NonzeroError("shape", `lengths [${lengths}] do not fit [${x.shape}]`, { field: "sequence_lens" });
    const strides = stridesOf(x.shape);
    const offsets = offsetsOf(x.shape, strides);
    const [batchStride, timeStride] = [strides[batch]!, strides[time]!];
    for (let i = 0; i < offsets.length; i++) {
      const length = lengths[Math.floor(i / batchStride) % entries]!;
      const step = Math.floor(i / timeStride) % steps;
      if (step < length) offsets[i] = i + (length - 1 - 2 * step) * timeStride;
    }
    return [pick(x, x.shape, offsets)];
  },
};
