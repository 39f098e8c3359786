import { isNumeric } from "./dtypes.js";
import { joined } from "./variadic.js";

/** ONNX Min: the smallest of the elements at each place of one or more broadcast tensors of one numeric dtype; NaN where any is NaN. */
export const min = joined("Min", isNumeric, { number: Math.min, bigint: (a, b) => (a - b < 0n ? a : b) });
