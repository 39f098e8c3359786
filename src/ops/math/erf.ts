import { erf as erfOf } from "./special.js";
import { floatFunction } from "./unary.js";

/** ONNX Erf: the error function of each element of a float tensor. */
export const erf = floatFunction("Erf", erfOf);
