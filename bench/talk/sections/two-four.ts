import { timeLinear } from "../products.js";
import type { Section } from "./section.js";

interface Layers {
  readonly model: string;
  /** What a forward pass has in one of its linear layers. */
  readonly tokens: number;
  /** Outputs × inputs, by name. */
  readonly layers: Readonly<Record<string, readonly [number, number]>>;
}

const transformer = (width: number) =>
  ({
    qkv: [3 * width, width],
    projection: [width, width],
    "MLP 1": [4 * width, width],
    "MLP 2": [width, 4 * width],
  }) as const;

const MODELS: readonly Layers[] = [
  { model: "ViT-B/16", tokens: 197, layers: transformer(768) },
  { model: "ViT-L/16", tokens: 197, layers: transformer(1024) },
  { model: "ViT-H/14", tokens: 257, layers: transformer(1280) },
  {
    model: "BERT-L",
    tokens: 384,
    layers: { "q, k, v, output": [1024, 1024], "FFN 1": [4096, 1024], "FFN 2": [1024, 4096] },
  },
  { model: "SAM vit_h, windows", tokens: 4900, layers: { qkv: [3840, 1280], projection: [1280, 1280] } },
  { model: "SAM vit_h", tokens: 4096, layers: { "MLP 1": [5120, 1280], "MLP 2": [1280, 5120] } },
  {
    model: "Llama 7B, prompt",
    tokens: 128,
    layers: { "q, k, v, o": [4096, 4096], "gate, up": [11008, 4096], down: [4096, 11008] },
  },
  {
    model: "Llama 7B, decoding",
    tokens: 1,
    layers: { "q, k, v, o": [4096, 4096], "gate, up": [11008, 4096], down: [4096, 11008] },
  },
];

export const twoFour: Section = {
  name: "two-four",
  about: "2:4 against dense in the linear layers of ViT-B/L/H, BERT-L, SAM vit_h and Llama",
  async run(bench) {
    const models = bench.quick ? MODELS.slice(0, 1) : MODELS;
    for (const { model, tokens, layers } of models) {
      for (const [layer, [m, k]] of Object.entries(layers).slice(0, bench.quick ? 2 : undefined)) {
        if (bench.signal.aborted) return;
        const title = `${model}, ${layer}`;
        const measured = await timeLinear(bench, {
          title,
          m,
          k,
          n: tokens,
          weightings: [{ name: "2:4", pattern: "2:4" }],
        });
        if (measured !== null) bench.add(measured);
      }
    }
  },
};
