import { isFloat, isInteger } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { mapElements, mapNumbers, type UnaryOperation } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";

/** An elementwise function of floats with attributes: same shape and dtype as the input, computed in double and rounded once. */
export function activation<A>(
  name: string,
  attributes: (node: Attributes) => A,
  f: (a: A) => (v: number) => number,
): Operator<A> {
  return {
    name,
    domain: "",
    attributes,
    infer: (inputs) => {
      const { type } = need(inputs, 0);
      expectDtype(type.dtype, isFloat);
      return [type];
    },
    evaluate: (inputs, a) => [mapNumbers(need(inputs, 0), f(a))],
  };
}

/** An elementwise function of floats: same shape and dtype as the input, computed in double and rounded once. */
export const floatFunction = (name: string, f: (v: number) => number): Operator<null> =>
  activation(
    name,
    () => null,
    () => f,
  );

/** An elementwise function of floats and integers: same shape and dtype as the input. Integers wrap. */
export function numericFunction(name: string, operation: UnaryOperation): Operator<null> {
  return {
    name,
    domain: "",
    attributes: () => null,
    infer: (inputs) => {
      const { type } = need(inputs, 0);
      expectDtype(type.dtype, (dtype) => isFloat(dtype) || isInteger(dtype));
      return [type];
    },
    evaluate: (inputs) => [mapElements(need(inputs, 0), operation)],
  };
}
