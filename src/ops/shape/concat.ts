import { NonzeroError, normalizeAxis } from "../../tensor/index.js";
import { needAll, sameDtype, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { addDims, unknownDim } from "./dims.js";
import { concatenate } from "./move.js";

interface ConcatAttributes {
  readonly axis: number;
}

/** ONNX Concat: tensors of one dtype, whose shapes agree but for `axis`, one after the other along it. */
export const concat: Operator<ConcatAttributes> = {
  name: "Concat",
  domain: "",
  attributes: (node) => ({ axis: node.int("axis") }),
  infer(inputs, a) {
    const types = needAll(inputs).map((x) => x.type);
    const dtype = sameDtype(types);
    const known = types.map((type) => type.shape).filter((shape) => shape !== null);
    if (known.length === 0) return [{ dtype, shape: null }];
    const rank = known[0]!.length;
    if (known.some((shape) => shape.length !== rank))
      throw new NonzeroError("shape", `${known.map((shape) => `[${shape}]`).join(" and ")} differ in rank`);
    const axis = normalizeAxis(a.axis, rank);
    const shape = Array.from({ length: rank }, (_, i) => {
      if (i !== axis) return known.map((s) => s[i]!).reduce((x, y) => unifyDim(x, y));
      return known.length < types.length ? unknownDim() : addDims(known.map((s) => s[i]!));
    });
    return [{ dtype, shape }];
  },
  evaluate(inputs, a) {
    const tensors = needAll(inputs);
    return [concatenate(tensors, normalizeAxis(a.axis, tensors[0]!.shape.length))];
  },
};
