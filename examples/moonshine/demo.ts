import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Listr } from "listr2";
import * as ortNode from "onnxruntime-node";
import * as ortWeb from "onnxruntime-web";
import { pairedTimes } from "../../src/cli/bench/paired.js";
import { median, pairedRatio } from "../../src/cli/bench/statistics.js";
import {
  encode,
  loadMoonshine,
  type Moonshine,
  type Runtime,
  transcribe,
} from "../../src/cli/eval/speech/moonshine.js";
import { bytes, milliseconds, percent, table } from "../../src/cli/output.js";
import { readWav } from "../../src/cli/wav.js";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import * as nonzero from "../../src/node.js";
import { applySparse } from "../../src/prune/index.js";

/**
 * The whole path on a real model: Moonshine tiny (speech to text, float32) is pruned to 2:4, saved sparse with float16 values, and run
 * dense and sparse on a spoken sentence, beside onnxruntime. Exits with 1 if one of the claims at the end does not hold.
 */
const PATTERN = "2:4";
const THREADS = Math.min(2, availableParallelism());
const HALVES = ["encoder_model.onnx", "decoder_model_merged.onnx"] as const;

interface Work {
  folder: string;
  samples: Float32Array;
  contestants: { name: string; files: string; model: Moonshine }[];
  times: Map<string, { encoder: readonly number[]; text: string; stepMs: number }>;
  difference: number;
}

const here = new URL(".", import.meta.url);
const original = fileURLToPath(new URL("../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float", here));
const spoken = readFileSync(new URL("../sentence.txt", here), "utf8").trim();
const folder = mkdtempSync(join(tmpdir(), "nonzero-demo-"));
process.once("SIGINT", () => process.exit(130));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

const filesIn = (place: string) => ({ encoder: join(place, HALVES[0]), decoder: join(place, HALVES[1]) });
const sizeOf = (place: string): number => HALVES.reduce((sum, half) => sum + statSync(join(place, half)).size, 0);
const [sparseFolder, explicitFolder] = [folder, join(folder, "explicit-")] as const;

const tasks = new Listr<Work>(
  [
    {
      title: `Prune Moonshine tiny to ${PATTERN} by magnitude: every linear layer`,
      task: async (_, task) => {
        for (const half of HALVES) {
          const { model } = await applySparse(readModelFile(join(original, half)), {
            pattern: PATTERN,
            layers: ["*MatMul*"],
            skip: half === HALVES[1] ? ["*embed_tokens*"] : [],
            values: "float16",
            onProgress: (done, total) => {
              task.output = `${half}: ${done} of ${total} weights`;
            },
          });
          await writeModelFile(join(sparseFolder, half), model);
          await writeModelFile(`${explicitFolder}${half}`, model, { sparse: "dense" });
        }
      },
    },
    {
      title: `Load it: onnxruntime-web, Nonzero dense, Nonzero sparse, ${THREADS} thread${THREADS === 1 ? "" : "s"} each`,
      task: async (context) => {
        ortWeb.env.wasm.numThreads = THREADS;
        const options = { intraOpNumThreads: THREADS };
        context.contestants = [
          {
            name: "onnxruntime-web, dense",
            files: original,
            model: await loadMoonshine(ortWeb as Runtime, filesIn(original)),
          },
          { name: "Nonzero, dense", files: original, model: await loadMoonshine(nonzero, filesIn(original), options) },
          {
            name: `Nonzero, ${PATTERN}`,
            files: sparseFolder,
            model: await loadMoonshine(nonzero, filesIn(sparseFolder), options),
          },
        ];
      },
    },
    {
      title: "Compare with onnxruntime on the same pruned weights",
      task: async (context) => {
        const peer = await ortNode.InferenceSession.create(`${explicitFolder}${HALVES[0]}`, { logSeverityLevel: 3 });
        const { last_hidden_state: expected } = await peer.run({
          input_values: new ortNode.Tensor("float32", context.samples, [1, context.samples.length]),
        });
        const sparse = await encode(context.contestants[2]!.model, context.samples);
        context.difference = relativeDifference(sparse.data as Float32Array, expected!.data as Float32Array);
      },
    },
    {
      title: "Transcribe the sentence, in turn",
      task: async (context, task) => {
        for (const { name, model } of context.contestants) {
          const { text, stepMs } = await transcribe(model, context.samples);
          context.times.set(name, { encoder: [], text, stepMs });
        }
        const timed = await pairedTimes(
          context.contestants.map(({ name, model }) => ({ name, run: () => encode(model, context.samples) })),
          {
            seconds: 5,
            onProgress: (share, doing) => {
              task.output = `encoder: ${percent(share, 0)}, ${doing}`;
            },
          },
        );
        for (const { name, samples } of timed) context.times.get(name)!.encoder = samples;
        task.output = "decoder";
        for (const { name, model } of context.contestants) {
          const runs: number[] = [];
          for (let i = 0; i < 4; i++) runs.push((await transcribe(model, context.samples)).stepMs);
          context.times.get(name)!.stepMs = median(runs.slice(1));
        }
      },
    },
  ],
  { fallbackRenderer: "simple" },
);

const work = await tasks.run({
  folder,
  samples: readWav(new URL("../sentence.wav", here)),
  contestants: [],
  times: new Map(),
  difference: Number.NaN,
});
const [web, dense, sparse] = work.contestants.map(({ name, files }) => ({ name, files, ...work.times.get(name)! })) as [
  Row,
  Row,
  Row,
];

interface Row {
  readonly name: string;
  readonly files: string;
  readonly encoder: readonly number[];
  readonly text: string;
  readonly stepMs: number;
}

console.log(
  `\n${table(
    [
      { title: "" },
      { title: "on disk", align: "right" },
      { title: "encoder", align: "right" },
      { title: "faster", align: "right" },
      { title: "decoder, a token", align: "right" },
      { title: "what it heard" },
    ],
    [web, dense, sparse].map((row) => [
      row.name,
      bytes(sizeOf(row.files)),
      milliseconds(median(row.encoder)),
      `${pairedRatio(row.encoder, web.encoder).toFixed(2)}×`,
      milliseconds(row.stepMs),
      row.text || "(nothing)",
    ]),
  )}\n\nwhat was said: ${spoken}
Plain magnitude pruning at 50 % ruins this model's hearing; it is shown as it is. Nonzero's sparse encoder is ${work.difference.toExponential(1)}
(relative to the largest value) from onnxruntime's on the same pruned weights.\n`,
);

const claims: [string, boolean][] = [
  ["Nonzero hears what onnxruntime hears in the dense model", dense.text === web.text],
  ["the sparse encoder agrees with onnxruntime on the same weights to 1e-3", work.difference <= 1e-3],
  ["the sparse model takes less than 0.6 of the dense one's bytes", sizeOf(sparse.files) < 0.6 * sizeOf(original)],
  ["the sparse encoder is faster than onnxruntime-web's dense one", pairedRatio(sparse.encoder, web.encoder) > 1],
  ["the sparse encoder is faster than Nonzero's dense one", pairedRatio(sparse.encoder, dense.encoder) > 1],
];
for (const [claim, holds] of claims) console.log(`${holds ? "✔" : "✘"} ${claim}`);
process.exit(claims.every(([, holds]) => holds) ? 0 : 1);

function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [apart, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    apart = Math.max(apart, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return apart / largest;
}
