import { normal, uniform } from "../../../src/cli/inputs.js";
import type { Model } from "../../../src/graph/index.js";
import { applySparse, weightsOf } from "../../../src/prune/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { type VitName, vit } from "../models/vit.js";
import { timeModels, type Variant } from "../whole-models.js";
import type { Section } from "./section.js";

const MODELS: readonly VitName[] = ["ViT-B/16", "ViT-L/16"];

export const models: Section = {
  name: "vit",
  about: "ViT-B/16 and ViT-L/16 end to end: attention fused, int8, 2:4, blocks, and together",
  async run(bench) {
    for (const name of bench.quick ? (["ViT-Ti/16, 2 layers"] as const) : MODELS) {
      if (bench.signal.aborted) return;
      const { model, image } = vit(name, "fused");
      const measured = await timeModels(bench, {
        title: name,
        feeds: { image: randomImage(image) },
        variants: [
          async () => ({ name: "float32, attention fused", model }),
          async () => ({ name: "float32, attention as operators", model: vit(name, "operators").model }),
          () => pruned("2:4", model, "2:4"),
          () => pruned("block 16×16, 90 %", model, "block:16x16@90%"),
        ],
        peers: [
          {
            name: "onnxruntime-web",
            by: "onnxruntime-web",
            of: ["float32, attention fused", "float32, attention as operators"],
          },
          {
            name: "onnxruntime-node",
            by: "onnxruntime-node",
            of: ["float32, attention fused", "float32, attention as operators"],
          },
        ],
        inTurn: true,
      });
      if (measured !== null) bench.add(measured);
    }
  },
};

/** Every linear layer under one pattern, by magnitude, as the talk's `apply_sparse` has it. */
export async function pruned(name: string, model: Model, pattern: string): Promise<Variant> {
  const layers = weightsOf(model).filter(({ kind, tied }) => kind === "linear" && !tied);
  const sparse = await applySparse(model, { pattern, layers: layers.map((layer) => layer.name) });
  const [layout] = sparse.weights.map((weight) => weight.layout);
  const entries = sparse.weights.map(({ weight }) => weight.rows * weight.cols);
  const zeros = sparse.weights.reduce((sum, { sparsity }, i) => sum + sparsity * entries[i]!, 0);
  const sparsity = Number((zeros / entries.reduce((a, b) => a + b, 0)).toPrecision(4));
  return { name, model: sparse.model, pattern, layout: layout!, sparsity };
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
