import type { Value } from "../graph/index.js";
import { NonzeroError, type NumericArray, Tensor } from "../tensor/index.js";

/** Tensors of the caller's for outputs to be written into, in the order of the outputs; undefined where a new one is wanted. */
export type Fetches = readonly (Tensor | undefined)[];

/**
 * An output as the caller may keep it: a copy of `result`, in `fetch` where that is given.
 * @throws NonzeroError "shape" where the result does not fit `fetch`.
 */
export function deliver({ name }: Value, result: Tensor, fetch: Tensor | undefined): Tensor {
  const { dtype, shape, data } = result;
  if (fetch === undefined) {
    if (dtype === "string") return new Tensor(dtype, shape, [...(data as string[])]);
    // Constructing an array from another skips the zeroing that `slice` does on shared memory.
    const Copy = data.constructor as new (data: NumericArray) => NumericArray;
    return new Tensor(dtype, shape, new Copy(data as NumericArray));
  }
  if (fetch.dtype !== dtype || fetch.shape.join() !== shape.join()) {
    throw new NonzeroError(
      "shape",
      `the result is ${dtype}[${shape}], the tensor given for it ${fetch.dtype}[${fetch.shape}]`,
      { field: name },
    );
  }
  if (dtype === "string") (fetch.data as string[]).splice(0, fetch.size, ...result.strings());
  else (fetch.data as Float32Array).set(data as Float32Array);
  return fetch;
}
