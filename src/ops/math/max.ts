import { isNumeric } from "./dtypes.js";
import { joined } from "./variadic.js";

/** ONNX Max: the largest of the elements at each place of one or more broadcast tensors of one numeric dtype; NaN where any is NaN. */
export const max = joined("Max", isNumeric, { number: Math.max, bigint: (a, b) => (a - b > 0n ? a : b) });
