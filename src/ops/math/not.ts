import { isBool } from "./dtypes.js";
import { activation } from "./unary.js";

/** ONNX Not: the negation of a bool tensor. */
export const not = activation(
  "Not",
  () => null,
  () => (x) => 1 - x,
  isBool,
);
