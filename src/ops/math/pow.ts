import { broadcastShapes, isInteger, type Tensor } from "../../tensor/index.js";
import { broadcastValues, combineNumbers, tensorOf } from "../elementwise.js";
import { broadcastTypes, expectDtype, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { isNumeric } from "./dtypes.js";

/**
 * ONNX Pow: a to the power of b, broadcast; the result has a's dtype. Integer powers of integers are exact modulo 2^bits
 * (a negative exponent truncates: 0 unless a is 1 or -1); a float exponent of an integer truncates the result.
 */
export const pow: Operator<null> = {
  name: "Pow",
  domain: "",
  attributes: () => null,
  infer: (inputs) => {
    const [base, exponent] = [need(inputs, 0), need(inputs, 1)];
    expectDtype(base.type.dtype, isNumeric);
    expectDtype(exponent.type.dtype, isNumeric);
    return [broadcastTypes([base, exponent], base.type.dtype)];
  },
  evaluate: (inputs) => {
    const [base, exponent] = [need(inputs, 0), need(inputs, 1)];
    const integers = isInteger(base.dtype) && isInteger(exponent.dtype);
    return [integers ? integerPowers(base, exponent) : combineNumbers(base, exponent, floatPower)];
  },
};

function integerPowers(base: Tensor, exponent: Tensor): Tensor {
  const shape = broadcastShapes(base.shape, exponent.shape);
  const bases = broadcastValues(base.bigints(), base.shape, shape);
  const exponents = broadcastValues(exponent.bigints(), exponent.shape, shape);
  const powers = Array.from(bases, (b, i) => integerPower(b, exponents[i]!));
  return tensorOf(base.dtype, shape, powers);
}

/** base^exponent modulo 2^64, by repeated squaring. */
function integerPower(base: bigint, exponent: bigint): bigint {
  if (exponent < 0n) return base === 1n ? 1n : base === -1n ? (exponent % 2n === 0n ? 1n : -1n) : 0n;
  let power = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) power = BigInt.asIntN(64, power * square);
    square = BigInt.asIntN(64, square * square);
  }
  return power;
}

/** IEEE 754's pow, where 1 to any power is 1 and (-1)^±∞ is 1; ECMAScript's ** gives NaN there. */
const floatPower = (a: number, b: number): number =>
  a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
