import type { Tensor } from "../../tensor/index.js";
import { elementsOf } from "../elementwise.js";

/** 1 where an element is not zero (not false, not ""), 0 elsewhere. */
export function truthOf(x: Tensor): Uint8Array {
  const values = elementsOf(x) as ArrayLike<number>;
  const truth = new Uint8Array(values.length);
  for (let i = 0; i < truth.length; i++) truth[i] = values[i] || Number.isNaN(values[i]) ? 1 : 0;
  return truth;
}
