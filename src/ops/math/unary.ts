import { type DataType, isFloat, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { mapElements, mapNumbers, type UnaryOperation } from "../elementwise.js";
import { expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";

/** An operator on one tensor, of a dtype that `accepts` allows; same shape, and same dtype unless `result` says another. */
function unary<A>(
  name: string,
  accepts: (dtype: DataType) => boolean,
  attributes: (node: Attributes) => A,
  evaluate: (x: Tensor, a: A) => Tensor,
  result?: DataType,
): Operator<A> {
  return {
    name,
    domain: "",
    attributes,
    infer: (inputs) => {
      const { dtype, shape } = need(inputs, 0).type;
      expectDtype(dtype, accepts);
      return [{ dtype: result ?? dtype, shape }];
    },
    evaluate: (inputs, a) => [evaluate(need(inputs, 0), a)],
  };
}

const none = (): null => null;

/** An elementwise function of floats with attributes: same shape and dtype as the input, computed in double and rounded once. */
export const activation = <A>(
  name: string,
  attributes: (node: Attributes) => A,
  f: (a: A) => (v: number) => number,
  accepts: (dtype: DataType) => boolean = isFloat,
): Operator<A> => unary(name, accepts, attributes, (x, a) => mapNumbers(x, f(a)));

/** An elementwise function of floats: same shape and dtype as the input, computed in double and rounded once. */
export const floatFunction = (name: string, f: (v: number) => number): Operator<null> =>
  activation(name, none, () => f);

/** An elementwise function of floats and integers, or of the dtypes that `accepts` allows: same shape and dtype as the input. Integers wrap. */
export const numericFunction = (
  name: string,
  operation: UnaryOperation,
  accepts: (dtype: DataType) => boolean = isNumeric,
): Operator<null> => unary(name, accepts, none, (x) => mapElements(x, operation));

/** A bool tensor of a test on each float. */
export const predicate = <A>(
  name: string,
  attributes: (node: Attributes) => A,
  test: (a: A) => (v: number) => boolean,
): Operator<A> =>
  unary(
    name,
    isFloat,
    attributes,
    (x, a) => {
      const holds = test(a);
      return mapNumbers(x, (v) => (holds(v) ? 1 : 0), "bool");
    },
    "bool",
  );
