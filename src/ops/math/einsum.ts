import { isFloat, stridesOf, type Tensor } from "../../tensor/index.js";
import { offsetsOf, tensorOf } from "../elementwise.js";
import { expectDtype, needAll, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";
import { bindEquation, type Equation, parseEquation } from "./einsum-equation.js";

/**
 * ONNX Einsum: the sum of products that an equation in Einstein's notation says, of numeric tensors of one dtype, as numpy.einsum.
 * Floats are accumulated in double, integers wrap.
 */
export const einsum: Operator<Equation> = {
  name: "Einsum",
  domain: "",
  attributes: (node) => parseEquation(node.string("equation")),
  infer: (inputs, equation) => {
    const types = needAll(inputs).map((x) => x.type);
    const dtype = sameDtype(types);
    expectDtype(dtype, isNumeric);
    const shapes = types.map((type) => type.shape).filter((shape) => shape !== null);
    if (shapes.length < types.length) return [{ dtype, shape: null }];
    const { output, dims } = bindEquation(equation, shapes);
    return [{ dtype, shape: output.map((label) => dims.get(label)!) }];
  },
  evaluate: (inputs, equation) => {
    const operands = needAll(inputs);
    const dtype = sameDtype(operands);
    const shapes = operands.map((x) => x.shape);
    const bound = bindEquation(equation, shapes);
    const dimsOf = (labels: readonly string[]): number[] => labels.map((label) => bound.dims.get(label) as number);
    const [shape, summedShape] = [dimsOf(bound.output), dimsOf(bound.summed)];
    const walks = operands.map((x, i): Walk => {
      const strideOf = labelStrides(x.shape, bound.inputs[i]!);
      return {
        starts: offsetsOf(shape, bound.output.map(strideOf)),
        steps: offsetsOf(summedShape, bound.summed.map(strideOf)),
      };
    });
    const result = isFloat(dtype) ? sumsInDouble(operands, walks) : exactSums(operands, walks);
    return [tensorOf(dtype, shape, result)];
  },
};

/** Where an operand's factors lie: for result i, factor j of the sum is at `starts[i] + steps[j]`. */
interface Walk {
  readonly starts: Int32Array;
  readonly steps: Int32Array;
}

/** How far each label steps through an operand: the sum over the axes that bear it (a diagonal), 0 along axes that repeat. */
function labelStrides(shape: readonly number[], term: readonly string[]): (label: string) => number {
  const strides = stridesOf(shape);
  return (label) =>
    term.reduce((sum, own, axis) => (own === label && shape[axis] !== 1 ? sum + strides[axis]! : sum), 0);
}

function sumsInDouble(operands: readonly Tensor[], walks: readonly Walk[]): Float64Array {
  const [{ starts, steps }] = walks as [Walk];
  const values = operands.map((x) => x.numbers());
  const sums = new Float64Array(starts.length);
  const products = new Float64Array(steps.length);
  for (let i = 0; i < sums.length; i++) {
    products.fill(1);
    for (let k = 0; k < walks.length; k++) {
      const [from, at, over] = [values[k]!, walks[k]!.starts[i]!, walks[k]!.steps];
      for (let j = 0; j < products.length; j++) products[j] = products[j]! * from[at + over[j]!]!;
    }
    let sum = 0;
    for (let j = 0; j < products.length; j++) sum += products[j]!;
    sums[i] = sum;
  }
  return sums;
}

function exactSums(operands: readonly Tensor[], walks: readonly Walk[]): bigint[] {
  const [{ starts, steps }] = walks as [Walk];
  const values = operands.map((x) => x.bigints());
  return Array.from(starts, (_, i) => {
    let sum = 0n;
    for (let j = 0; j < steps.length; j++) {
      sum += walks.reduce((product, walk, k) => product * values[k]![walk.starts[i]! + walk.steps[j]!]!, 1n);
    }
    return sum;
  });
}
