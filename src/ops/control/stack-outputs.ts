import type { Value } from "../../graph/index.js";
import { NonzeroError, sizeOf, type Tensor } from "../../tensor/index.js";
import { fromSlots, newSlots, stack } from "../shape/move.js";

/**
 * What the iterations of a loop returned for one output of its body, along a new axis. No iteration gives a tensor of
 * length 0 there, with the dtype that the model declares, and 0 for dimensions that it does not.
 */
export function stackOutputs(parts: readonly Tensor[], axis: number, output: Value): Tensor {
  const first = parts[0];
  if (first === undefined) {
    if (output.type === null)
      throw new NonzeroError("invalid-model", `the body does not declare the type of '${output.name}'`);
    const dims = (output.type.shape ?? []).map((dim) => (typeof dim === "number" ? dim : 0));
    const shape = dims.toSpliced(axis < 0 ? axis + dims.length + 1 : axis, 0, 0);
    return fromSlots(output.type.dtype, shape, newSlots(output.type.dtype, sizeOf(shape)));
  }
  for (const part of parts) {
    if (part.dtype !== first.dtype || `${part.shape}` !== `${first.shape}`)
      throw new NonzeroError(
        "shape",
        `'${output.name}' changes from ${first.dtype} [${first.shape}] to ${part.dtype} [${part.shape}]`,
      );
  }
  return stack(parts, axis < 0 ? axis + first.shape.length + 1 : axis);
}
