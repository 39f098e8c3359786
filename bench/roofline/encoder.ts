import type { Machine } from "../../src/backends/roofline/index.js";
import { pairedTimes } from "../../src/cli/bench/paired.js";
import { modelRoofline } from "../../src/cli/bench/roofline.js";
import { median, pairedRatio } from "../../src/cli/bench/statistics.js";
import { readWav } from "../../src/cli/wav.js";
import { readModelFile } from "../../src/formats/onnx/node.js";
import { applySparse } from "../../src/prune/index.js";
import { Runner } from "../../src/runtime/index.js";
import { predict } from "../../src/runtime/predict.js";
import { Tensor } from "../../src/tensor/index.js";
import type { ModelStep, Roofline } from "./results.js";

const ENCODER = new URL(
  "../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/encoder_model.onnx",
  import.meta.url,
).pathname;
const SAMPLE_RATE = 16_000;
const PATTERNS = ["50%", "2:4", "75%", "90%", "block:16x16@80%"];

/** Moonshine tiny's encoder, every linear layer and convolution pruned for real, beside what was predicted of the dense model. */
export async function checkEncoder(
  machine: Machine,
  say: (line: string) => void,
  seconds: number,
): Promise<Roofline["encoder"]> {
  const model = readModelFile(ENCODER);
  const samples = readWav(new URL("../../examples/sentence.wav", import.meta.url));
  const feeds = { input_values: new Tensor("float32", [1, samples.length], samples) };
  const predicted = predict(model, { machine, patterns: PATTERNS, feeds });
  const runners = [{ pattern: "dense", runner: new Runner(model, { threads: machine.threads }) }];
  for (const pattern of PATTERNS) {
    say(`pruning the encoder to ${pattern}`);
    const { model: pruned } = await applySparse(model, { pattern });
    runners.push({ pattern, runner: new Runner(pruned, { threads: machine.threads }) });
  }
  const contestants = runners.map(({ pattern, runner }) => {
    const fetches = runner.run(feeds);
    return { name: pattern, run: () => runner.run(feeds, fetches) };
  });
  say("timing the encoders in turn");
  const timed = await pairedTimes(contestants, { seconds });
  for (const { runner } of runners) runner.release();
  const dense = timed[0]!.samples;
  const expected = [predicted.seconds, ...predicted.patterns.map((p) => p.seconds)];
  const rows = await modelRoofline(model, feeds, machine, { seconds, say, signal: new AbortController().signal });
  const steps = new Map<string, ModelStep>();
  for (const row of rows) {
    const sum = steps.get(row.kernel);
    steps.set(row.kernel, {
      kernel: row.kernel,
      count: (sum?.count ?? 0) + 1,
      median_ms: (sum?.median_ms ?? 0) + row.median_ms,
      predicted_ms: (sum?.predicted_ms ?? 0) + (row.predicted_ms ?? 0),
      limit_ms: (sum?.limit_ms ?? 0) + (row.limit_ms ?? 0),
      multiply_adds: (sum?.multiply_adds ?? 0) + (row.multiply_adds ?? 0),
    });
  }
  return {
    seconds: samples.length / SAMPLE_RATE,
    steps: [...steps.values()].filter(({ multiply_adds }) => multiply_adds > 0),
    patterns: timed.map(({ name, samples: own }, i) => ({
      pattern: name,
      median_ms: median(own),
      samples_ms: own.map((ms) => Number(ms.toPrecision(5))),
      speedup: pairedRatio(own, dense),
      predicted_ms: 1000 * expected[i]!,
      predicted_speedup: predicted.seconds / expected[i]!,
    })),
  };
}
