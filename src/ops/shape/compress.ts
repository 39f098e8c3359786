import { NonzeroError, normalizeAxis, type Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "./dims.js";
import { take } from "./move.js";
import { truthOf } from "./truth.js";

interface CompressAttributes {
  /** Null flattens the input first. */
  readonly axis: number | null;
}

/** ONNX Compress: the slices along `axis` whose condition (a bool vector, no longer than the axis) is true. */
export const compress: Operator<CompressAttributes> = {
  name: "Compress",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ axis: node.optional("axis", "int") ?? null }),
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    const condition = need(inputs, 1).value;
    const count = condition === undefined ? unknownDim() : kept(condition).length;
    if (a.axis === null) return [{ dtype, shape: [count] }];
    return [{ dtype, shape: shape === null ? null : shape.with(normalizeAxis(a.axis, shape.length), count) }];
  },
  evaluate(inputs, a) {
    const given = need(inputs, 0);
    const x = a.axis === null ? given.reshape([given.size]) : given;
    const axis = normalizeAxis(a.axis ?? 0, x.shape.length);
    const indices = kept(need(inputs, 1));
    if ((indices.at(-1) ?? -1) >= x.shape[axis]!)
      throw new NonzeroError("shape", `the condition keeps index ${indices.at(-1)} of ${x.shape[axis]}`);
    return [take(x, axis, indices)];
  },
};

function kept(condition: Tensor): number[] {
  const indices: number[] = [];
  truthOf(condition).forEach((one, i) => {
    if (one === 1) indices.push(i);
  });
  return indices;
}
