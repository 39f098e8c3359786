import { type VitName, vit } from "../models/vit.js";
import { timeModels } from "../whole-models.js";
import { ablations, ONNXRUNTIMES, randomImage } from "./ablations.js";
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
        variants: ablations(model, () => vit(name, "operators").model),
        peers: ONNXRUNTIMES,
        inTurn: true,
      });
      if (measured !== null) bench.add(measured);
    }
  },
};
