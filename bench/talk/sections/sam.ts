import { sam as build } from "../models/sam.js";
import { timeModels } from "../whole-models.js";
import { pruned, randomImage } from "./pruned.js";
import type { Section } from "./section.js";

export const sam: Section = {
  name: "sam",
  about: "SAM's vit_h image encoder end to end, a run or two a variant: it takes a minute a run",
  long: true,
  async run(bench) {
    const name = bench.quick ? "SAM, small" : "SAM vit_h";
    const { model, image } = build(name, "fused");
    const measured = await timeModels(bench, {
      title: name,
      feeds: { image: randomImage(image) },
      variants: [
        async () => ({ name: "float32, attention fused", model }),
        async () => ({ name: "float32, attention as operators", model: build(name, "operators").model }),
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
      inTurn: false,
    });
    if (measured !== null) bench.add(measured);
  },
};
