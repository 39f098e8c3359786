import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { intsOf, isConcrete, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { multiplyDims, shapeOfLength, unknownDim } from "./dims.js";

interface ReshapeAttributes {
  /** From opset 14: a 0 in the shape is a 0, not "as in the input". */
  readonly allowZero: boolean;
}

/** ONNX Reshape: the same elements, row-major, under the shape in input 1; 0 copies the input's dimension, one -1 takes what is left. */
export const reshape: Operator<ReshapeAttributes> = {
  name: "Reshape",
  domain: "",
  shapeInputs: [1],
  attributes: (node) => ({ allowZero: node.version >= 14 && node.flag("allowzero") }),
  infer(inputs, { allowZero }) {
    const x = need(inputs, 0).type;
    const target = knownInts(need(inputs, 1));
    if (target === undefined) return [{ dtype: x.dtype, shape: shapeOfLength(need(inputs, 1)) }];
    if (x.shape === null) {
      const shape = target.map((dim, i) =>
        dim === -1 || (dim === 0 && !allowZero) ? unknownDim() : (target[i] as Dim),
      );
      return [{ dtype: x.dtype, shape }];
    }
    return [{ dtype: x.dtype, shape: reshaped(x.shape, target, allowZero) }];
  },
  evaluate(inputs, { allowZero }) {
    const x = need(inputs, 0);
    return [x.reshape(reshaped(x.shape, intsOf(need(inputs, 1)), allowZero) as number[])];
  },
};

function reshaped(from: readonly Dim[], target: readonly number[], allowZero: boolean): Dim[] {
  const shape = target.map((dim, i): Dim => {
    if (dim < -1 || !Number.isSafeInteger(dim)) throw new NonzeroError("shape", `[${target}] is not a shape`);
    if (dim !== 0 || allowZero) return dim;
    if (i >= from.length)
      throw new NonzeroError("shape", `the 0 at ${i} of [${target}] has no dimension of [${from}] to copy`);
    return from[i]!;
  });
  const open = shape.indexOf(-1);
  if (open !== shape.lastIndexOf(-1)) throw new NonzeroError("shape", `[${target}] has more than one -1`);
  if (open >= 0) shape[open] = quotient(from, shape.toSpliced(open, 1), `[${from}] as [${target}]`);
  else if (isConcrete(from) && multiplyDims(from) !== multiplyDims(shape)) {
    throw new NonzeroError(
      "shape",
      `[${from}] has ${multiplyDims(from)} elements, [${target}] has ${multiplyDims(shape)}`,
    );
  }
  return shape;
}

/** What -1 stands for: the product of `dims` over that of `by`, names cancelled. */
function quotient(dims: readonly Dim[], by: readonly Dim[], what: string): Dim {
  const names = dims.filter((dim) => typeof dim === "string");
  for (const dim of by) {
    if (typeof dim === "string") names.splice(names.indexOf(dim), 1); // names in a target are copies of the input's
  }
  const isNumber = (dim: Dim): dim is number => typeof dim === "number";
  const whole = multiplyDims(dims.filter(isNumber)) as number;
  const part = multiplyDims(by.filter(isNumber)) as number;
  if (part === 0) throw new NonzeroError("shape", `cannot reshape ${what}: -1 beside a 0 could be anything`);
  if (whole % part === 0) return multiplyDims([...names, whole / part]);
  if (names.length === 0) throw new NonzeroError("shape", `cannot reshape ${what}: ${whole} is no multiple of ${part}`);
  return unknownDim();
}
