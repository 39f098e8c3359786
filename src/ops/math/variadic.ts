import { broadcastShapes, type DataType, Tensor } from "../../tensor/index.js";
import { type BinaryOperation, broadcastValues, combineElements } from "../elementwise.js";
import { broadcastTypes, expectDtype, needAll, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";

function variadic(
  name: string,
  accepts: (dtype: DataType) => boolean,
  evaluate: (inputs: readonly Tensor[]) => Tensor,
): Operator<null> {
  return {
    name,
    domain: "",
    attributes: () => null,
    infer: (inputs) => {
      const type = broadcastTypes(needAll(inputs));
      expectDtype(type.dtype, accepts);
      return [type];
    },
    evaluate: (inputs) => {
      const tensors = needAll(inputs);
      sameDtype(tensors);
      return [evaluate(tensors)];
    },
  };
}

/** One or more broadcast tensors of one dtype, joined two by two. */
export const joined = (
  name: string,
  accepts: (dtype: DataType) => boolean,
  operation: BinaryOperation,
): Operator<null> => variadic(name, accepts, (inputs) => inputs.reduce((a, b) => combineElements(a, b, operation)));

/** One or more broadcast float tensors, added in double; `finish` turns the sum of `count` elements into the result, which is rounded once. */
export const summed = (
  name: string,
  accepts: (dtype: DataType) => boolean,
  finish: (sum: number, count: number) => number,
): Operator<null> =>
  variadic(name, accepts, (inputs) => {
    const shape = broadcastShapes(...inputs.map((x) => x.shape));
    const columns = inputs.map((x) => broadcastValues(x.numbers(), x.shape, shape));
    const sums = new Float64Array(columns[0]!.length);
    for (const column of columns) for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + column[i]!;
    for (let i = 0; i < sums.length; i++) sums[i] = finish(sums[i]!, inputs.length);
    return Tensor.from(inputs[0]!.dtype, shape, sums);
  });
