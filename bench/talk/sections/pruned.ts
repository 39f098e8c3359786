import { normal, uniform } from "../../../src/cli/inputs.js";
import type { Model } from "../../../src/graph/index.js";
import { applySparse, constantNodesToConstants, weightsOf } from "../../../src/prune/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import type { Variant } from "../whole-models.js";

/** Every layer of a kind under one pattern, by magnitude, as the talk's `apply_sparse` has it for linear ones. */
export async function pruned(
  name: string,
  model: Model,
  pattern: string,
  kind: "linear" | "conv" = "linear",
): Promise<Variant> {
  const layers = weightsOf(constantNodesToConstants(model)).filter((weight) => weight.kind === kind && !weight.tied);
  const sparse = await applySparse(model, { pattern, layers: layers.map((layer) => layer.name) });
  const layouts = new Set(sparse.weights.map(({ layout }) => layout));
  const entries = sparse.weights.map(({ weight }) => weight.rows * weight.cols);
  const zeros = sparse.weights.reduce((sum, { sparsity }, i) => sum + sparsity * entries[i]!, 0);
  const sparsity = Number((zeros / entries.reduce((a, b) => a + b, 0)).toPrecision(4));
  return { name, model: sparse.model, pattern, layout: layouts.size === 1 ? [...layouts][0]! : "mixed", sparsity };
}

export function randomImage(shape: readonly number[]): Tensor {
  const next = uniform(7);
  const size = shape.reduce((a, b) => a * b, 1);
  return new Tensor(
    "float32",
    shape,
    Float32Array.from({ length: size }, () => normal(next)),
  );
}
