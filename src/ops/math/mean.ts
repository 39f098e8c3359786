import { isFloat } from "../../tensor/index.js";
import { summed } from "./variadic.js";

/** ONNX Mean: the mean of one or more broadcast float tensors. */
export const mean = summed("Mean", isFloat, (total, count) => total / count);
