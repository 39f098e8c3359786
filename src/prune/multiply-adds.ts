import { inferTypes } from "../compiler/index.js";
import type { Dim, Model, Value, ValueType } from "../graph/index.js";
import { sizeOf } from "../tensor/index.js";
import { weightsOf } from "./weights.js";

/**
 * Multiply-adds that each weight costs for one run, by weight value; for given sizes of the inputs' named dimensions (1 where not given).
 * Each element of a linear layer's or a convolution's result takes as many as the weight has inputs; a table's look-up takes none.
 * Null where the shapes that it takes can't be known before a run.
 */
export function multiplyAddsOf(model: Model, dims: ReadonlyMap<string, number>): ReadonlyMap<Value, number | null> {
  const concrete = (dim: Dim): number => (typeof dim === "number" ? dim : (dims.get(dim) ?? 1));
  const inputs = new Map<Value, ValueType>();
  for (const input of model.graph.inputs) {
    if (input.type?.shape) inputs.set(input, { ...input.type, shape: input.type.shape.map(concrete) });
  }
  const types = inferTypes(model.graph, inputs);
  const totals = new Map<Value, number | null>();
  for (const weight of weightsOf(model)) {
    let total: number | null = 0;
    for (const node of weight.readers) {
      if (node.op === "Gather") continue;
      const output = types.get(node.outputs[0]!)?.shape;
      total = total === null || !output?.every(isNumber) ? null : total + sizeOf(output) * weight.cols;
    }
    totals.set(weight.value, total);
  }
  return totals;
}

const isNumber = (dim: Dim): dim is number => typeof dim === "number";
