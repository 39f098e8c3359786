import { softplusOf } from "./special.js";
import { floatFunction } from "./unary.js";

/** ONNX Softplus: log(e^x + 1), of a float tensor, without overflow. */
export const softplus = floatFunction("Softplus", softplusOf);
