import { inferTypes } from "../compiler/index.js";
import type { Dim, Model, Node, Value, ValueType } from "../graph/index.js";
import { weightsOf } from "./weights.js";

/**
 * Multiply-adds that each weight costs for one run, by weight value; for given sizes of the inputs' named dimensions (1 where not given).
 * A weight's elements times the positions that it is applied at: the tokens of a linear layer, the output pixels of a convolution.
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
      const positions = output && positionsOf(node, output);
      total = total === null || positions == null ? null : total + positions * weight.rows * weight.cols;
    }
    totals.set(weight.value, total);
  }
  return totals;
}

/** Result elements per output feature. */
function positionsOf(node: Node, output: readonly Dim[]): number | null {
  const feature = node.op.endsWith("Conv") ? 1 : output.length - 1;
  const rest = output.filter((_, axis) => axis !== feature);
  return rest.every((dim) => typeof dim === "number") ? (rest as number[]).reduce((a, b) => a * b, 1) : null;
}
