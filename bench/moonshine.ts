import { join } from "node:path";
import { writeNpy } from "../src/cli/npy.js";
import { readWav } from "../src/cli/wav.js";
import { readModelFile, writeModelFile } from "../src/formats/onnx/node.js";
import { applySparse, weightsOf } from "../src/prune/index.js";
import { Tensor } from "../src/tensor/index.js";

const MODELS = "../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/";
const SAMPLE_RATE = 16_000;

/** Files for timing Moonshine tiny's encoder: as it came, with every linear layer 2:4, and a spoken sentence as its input. */
export async function moonshineEncoder(folder: string) {
  const dense = new URL(`${MODELS}encoder_model.onnx`, import.meta.url).pathname;
  const model = readModelFile(dense);
  const linear = weightsOf(model).filter(({ kind }) => kind === "linear");
  const { model: pruned } = await applySparse(model, { pattern: "2:4", layers: linear.map(({ name }) => name) });
  const sparse = join(folder, "encoder-2-4.onnx");
  await writeModelFile(sparse, pruned);
  const samples = readWav(new URL("../examples/sentence.wav", import.meta.url));
  const input = join(folder, "sentence.npy");
  writeNpy(input, new Tensor("float32", [1, samples.length], samples));
  return { dense, sparse, input, seconds: samples.length / SAMPLE_RATE };
}
