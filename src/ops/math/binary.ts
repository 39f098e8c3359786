import { type DataType, isFloat, isInteger } from "../../tensor/index.js";
import {
  type BinaryOperation,
  combineElements,
  combineNumbers,
  compareElements,
  type Element,
} from "../elementwise.js";
import { broadcastTypes, expectDtype, need, sameDtype } from "../infer.js";
import type { Operator } from "../operator.js";

/** Floats and integers. */
export const isNumeric = (dtype: DataType): boolean => isFloat(dtype) || isInteger(dtype);

/** An operation on two broadcast tensors of one numeric dtype, with a result of that dtype. Integers wrap. */
export function arithmetic(
  name: string,
  operation: BinaryOperation | ((dtype: DataType) => BinaryOperation),
): Operator<null> {
  return {
    name,
    domain: "",
    attributes: () => null,
    infer: (inputs) => {
      const type = broadcastTypes([need(inputs, 0), need(inputs, 1)]);
      expectDtype(type.dtype, isNumeric);
      return [type];
    },
    evaluate: (inputs) => {
      const [a, b] = [need(inputs, 0), need(inputs, 1)];
      const dtype = sameDtype([a, b]);
      return [combineElements(a, b, typeof operation === "function" ? operation(dtype) : operation)];
    },
  };
}

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
      expectDtype(type.dtype, ["bool"]);
      return [type];
    },
    evaluate: (inputs) => [combineNumbers(need(inputs, 0), need(inputs, 1), f, "bool")],
  };
}

/** A bitwise operation on two broadcast tensors of one integer dtype. */
export function bitwise(name: string, operation: BinaryOperation): Operator<null> {
  const operator = arithmetic(name, operation);
  return {
    ...operator,
    infer: (inputs, a, context) => {
      expectDtype(need(inputs, 0).type.dtype, isInteger);
      return operator.infer(inputs, a, context);
    },
  };
}
