import { type DataType, isInteger } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import {
  type BinaryOperation,
  combineElements,
  combineNumbers,
  compareElements,
  type Element,
} from "../elementwise.js";
import { broadcastTypes, expectDtype, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";
import { isBool, isNumeric } from "./dtypes.js";

/** An operation, chosen by the attributes and the dtype, on two broadcast tensors of one dtype, with a result of that dtype. Integers wrap. */
export function binary<A>(
  name: string,
  accepts: (dtype: DataType) => boolean,
  attributes: (node: Attributes) => A,
  operation: (a: A, dtype: DataType) => BinaryOperation,
): Operator<A> {
  return {
    name,
    domain: "",
    attributes,
    infer: (inputs) => {
      const type = broadcastTypes([need(inputs, 0), need(inputs, 1)]);
      expectDtype(type.dtype, accepts);
      return [type];
    },
    evaluate: (inputs, attributes) => {
      const [a, b] = [need(inputs, 0), need(inputs, 1)];
      return [combineElements(a, b, operation(attributes, sameDtype([a, b])))];
    },
  };
}

/** An operation on two broadcast tensors of one numeric dtype, with a result of that dtype. Integers wrap. */
export const arithmetic = (name: string, operation: (dtype: DataType) => BinaryOperation): Operator<null> =>
  binary(
    name,
    isNumeric,
    () => null,
    (_, dtype) => operation(dtype),
  );

/** A bitwise operation on two broadcast tensors of one integer dtype. */
export const bitwise = (name: string, operation: BinaryOperation): Operator<null> =>
  binary(
    name,
    isInteger,
    () => null,
    () => operation,
  );

/** A bool tensor of `test` on two broadcast tensors of one dtype that `accepts` allows. */
export function comparison(
  name: string,
  test: (a: Element, b: Element) => boolean,
  accepts: (dtype: DataType) => boolean = isNumeric,
): Operator<null> {
  return {
    name,
    domain: "",
    attributes: () => null,
    infer: (inputs) => {
      const operands = [need(inputs, 0), need(inputs, 1)];
      expectDtype(sameDtype(operands.map((x) => x.type)), accepts);
      return [broadcastTypes(operands, "bool")];
    },
    evaluate: (inputs) => {
      const [a, b] = [need(inputs, 0), need(inputs, 1)];
      sameDtype([a, b]);
      return [compareElements(a, b, test)];
    },
  };
}

/** A connective of two broadcast bool tensors. */
export function connective(name: string, f: (a: number, b: number) => number): Operator<null> {
  return {
    name,
    domain: "",
    attributes: () => null,
    infer: (inputs) => {
      const type = broadcastTypes([need(inputs, 0), need(inputs, 1)]);
      expectDtype(type.dtype, isBool);
      return [type];
    },
    evaluate: (inputs) => [combineNumbers(need(inputs, 0), need(inputs, 1), f, "bool")],
  };
}
