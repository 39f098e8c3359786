import { isUnsigned } from "../../tensor/index.js";
import type { BinaryOperation } from "../elementwise.js";
import { binary } from "./binary.js";

/** Shifts by all bits or more give 0. Powers of two keep doubles exact, and storing wraps. */
const SHIFTS: Readonly<Record<"LEFT" | "RIGHT", BinaryOperation>> = {
  LEFT: {
    number: (x, bits) => (bits < 32 ? x * 2 ** bits : 0),
    bigint: (x, bits) => (bits < 64n ? x << bits : 0n),
  },
  RIGHT: {
    number: (x, bits) => Math.floor(x / 2 ** bits),
    bigint: (x, bits) => (bits < 64n ? x >> bits : 0n),
  },
};

/** ONNX BitShift: a shifted by b bits in `direction`, of two broadcast tensors of one unsigned dtype. */
export const bitShift = binary<"LEFT" | "RIGHT">(
  "BitShift",
  isUnsigned,
  (node) => node.oneOf("direction", ["LEFT", "RIGHT"]),
  (direction) => SHIFTS[direction],
);
