import type { Tensor } from "../../tensor/index.js";
import { combineNumbers } from "../elementwise.js";
import { roundHalfEven } from "../math/round.js";
import { quantizedRange } from "./rounding.js";

/** x − zero point as float64, the zero point broadcast; x itself, converted, where there is none. */
export const centered = (x: Tensor, zeroPoint: Tensor | null): Tensor =>
  zeroPoint === null ? x.to("float64") : combineNumbers(x, zeroPoint, (v, zero) => v - zero, "float64");

/**
 * Sums of products of levels to levels of the result: saturate(round(sum · (aScale · bScale / yScale)) + zero point) in
 * float32, halves to even. All are broadcast against `sums`.
 */
export function requantize(sums: Tensor, aScale: Tensor, bScale: Tensor, yScale: Tensor, yZeroPoint: Tensor): Tensor {
  const [low, high] = quantizedRange(yZeroPoint.dtype);
  const products = combineNumbers(aScale, bScale, (a, b) => a * b, "float32");
  const factors = combineNumbers(products, yScale, (product, y) => product / y, "float32");
  const scaled = combineNumbers(sums, factors, (sum, factor) => sum * factor, "float32");
  return combineNumbers(
    scaled,
    yZeroPoint,
    (v, zero) => Math.min(high, Math.max(low, roundHalfEven(v) + zero)),
    yZeroPoint.dtype,
  );
}

/** A vector with an entry per row as a column, so that it broadcasts over a matrix; other shapes as they are. */
export const perRow = (x: Tensor): Tensor => (x.shape.length === 1 && x.size > 1 ? x.reshape([x.size, 1]) : x);

/** A vector with an entry per output channel of [N, C, spatial…], so that it broadcasts over it; one element as a scalar. */
export const perChannel = (x: Tensor, rank: number): Tensor =>
  x.size === 1 ? x.reshape([]) : x.reshape([x.size, ...new Array<number>(rank - 2).fill(1)]);
