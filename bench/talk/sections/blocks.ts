import { timeLinear, type Weighting } from "../products.js";
import type { Section } from "./section.js";

const BLOCKS = ["1x4", "4x1", "4x4", "8x8", "16x16", "32x32", "64x64"];

const weightings = (blocks: readonly string[]): Weighting[] =>
  ["80", "90"].flatMap((share) =>
    blocks.map((block) => ({
      name: `${block.replace("x", "×")} ${share}%`,
      pattern: `block:${block}@${share}%`,
      layout: `bsr:${block}`,
    })),
  );

/** ViT-L's feed-forward layers on 256 tokens. */
const SHAPES = [
  { title: "ViT-L MLP 1", m: 4096, k: 1024, n: 256 },
  { title: "ViT-L MLP 2", m: 1024, k: 4096, n: 256 },
];

export const blocks: Section = {
  name: "blocks",
  about: "blocks of 1×4 to 64×64 at 80 and 90 % in ViT-L's feed-forward layers",
  async run(bench) {
    const shapes = bench.quick ? [{ title: "quick", m: 512, k: 256, n: 64 }] : SHAPES;
    for (const shape of shapes) {
      if (bench.signal.aborted) return;
      const measured = await timeLinear(bench, {
        ...shape,
        weightings: weightings(bench.quick ? ["1x4", "16x16"] : BLOCKS),
      });
      if (measured !== null) bench.add(measured);
    }
  },
};
