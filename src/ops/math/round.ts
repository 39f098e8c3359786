import { floatFunction } from "./unary.js";

/** ONNX Round: each element of a float tensor rounded to the nearest integer, halves to the even one. */
export const round = floatFunction("Round", roundHalfEven);

/** The nearest integer, halves to the even one; keeps the sign of zero. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest < 0.5) return floor;
  return rest > 0.5 || floor % 2 !== 0 ? Math.ceil(x) : floor;
}
