import { sigmoidOf } from "./special.js";
import { floatFunction } from "./unary.js";

/** ONNX Sigmoid: 1 / (1 + e^-x), of a float tensor. */
export const sigmoid = floatFunction("Sigmoid", sigmoidOf);
