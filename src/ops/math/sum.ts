import { isFloat } from "../../tensor/index.js";
import { summed } from "./variadic.js";

/** ONNX Sum: the sum of one or more broadcast float tensors. */
export const sum = summed("Sum", isFloat, (total) => total);
