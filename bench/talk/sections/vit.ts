import { type VitName, vit } from "../models/vit.js";
import { timeModels } from "../whole-models.js";
import { pruned, randomImage } from "./pruned.js";
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
