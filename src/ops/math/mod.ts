import { isInteger } from "../../tensor/index.js";
import type { BinaryOperation } from "../elementwise.js";
import { binary } from "./binary.js";
import { isNumeric } from "./dtypes.js";

/** The remainder with the sign of the dividend, as C's fmod; 0 for a zero integer divisor. */
const truncated = (integer: boolean): BinaryOperation => ({
  number: (a, b) => (integer && b === 0 ? 0 : a % b),
  bigint: (a, b) => (b === 0n ? 0n : a % b),
});

/** The remainder with the sign of the divisor, as Python's %; 0 for a zero integer divisor. */
const floored = (integer: boolean): BinaryOperation => ({
  number: (a, b) => {
    if (integer && b === 0) return 0;
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  bigint: (a, b) => {
    if (b === 0n) return 0n;
    const rest = a % b;
    return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
  },
});

/** ONNX Mod: the remainder of a / b of two broadcast tensors of one numeric dtype; `fmod` takes the dividend's sign, otherwise the divisor's. */
export const mod = binary(
  "Mod",
  isNumeric,
  (node) => node.flag("fmod"),
  (fmod, dtype) => (fmod ? truncated(isInteger(dtype)) : floored(isInteger(dtype))),
);
