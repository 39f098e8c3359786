import { sam as build } from "../models/sam.js";
import { timeModels } from "../whole-models.js";
import { ablations, ONNXRUNTIMES, randomImage } from "./ablations.js";
import type { Section } from "./section.js";

export const sam: Section = {
  name: "sam",
  about: "SAM's vit_h image encoder end to end, one run a variant: that takes up to a minute",
  long: true,
  async run(bench) {
    const name = bench.quick ? "SAM, small" : "SAM vit_h";
    const { model, image } = build(name, "fused");
    const measured = await timeModels(bench, {
      title: name,
      feeds: { image: randomImage(image) },
      variants: ablations(model, () => build(name, "operators").model),
      peers: ONNXRUNTIMES,
      inTurn: false,
    });
    if (measured !== null) bench.add(measured);
  },
};
