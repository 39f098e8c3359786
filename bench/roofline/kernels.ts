import { limitOf, type Machine, predictTime } from "../../src/backends/roofline/index.js";
import { convolution, measureSample, productWith, type Sample, weightOf } from "../../src/backends/wasm/probe/index.js";
import type { Checked } from "./results.js";

/** Shapes of ViT-B's, BERT-L's and Moonshine tiny's layers; none is in the calibration. */
const SHAPES = [
  [3072, 768],
  [768, 3072],
  [1024, 1024],
  [1152, 288],
  [288, 288],
] as const;
const TOKENS = [1, 8, 64, 197];
const PATTERNS = ["dense", "2:4", "75%", "95%", "block:8x8@80%", "block:32x32@90%"];
const CONVOLUTIONS = [
  [64, 64, 56],
  [256, 256, 14],
  [96, 48, 28],
] as const;
const CONV_PATTERNS = ["dense", "50%", "90%"];

/** Kernels that the calibration did not see, measured and predicted, one after the other. */
export async function checkKernels(machine: Machine, say: (line: string) => void, quick: boolean): Promise<Checked[]> {
  const rows: Checked[] = [];
  const check = async (family: string, pattern: string, shape: string, sample: Sample): Promise<void> => {
    const { step, seconds } = await measureSample(sample, machine.threads, 20);
    const { cost, kernel } = step;
    const { seconds: predicted, bound } = predictTime(kernel, cost, machine, cost.bytes);
    rows.push({
      ...{ family, pattern, shape, tokens: cost.product!.tokens, multiply_adds: cost.multiplyAdds, bytes: cost.bytes },
      ...{ measured_ms: 1000 * seconds, predicted_ms: 1000 * predicted },
      ...{ limit_ms: 1000 * limitOf(cost, machine, cost.bytes).seconds, bound },
    });
  };
  for (const [m, k] of quick ? SHAPES.slice(-1) : SHAPES)
    for (const pattern of PATTERNS) {
      say(`${m}×${k} ${pattern}`);
      const weight = weightOf(m, k, [k, m], [1, 0], pattern);
      for (const tokens of TOKENS) await check("linear", pattern, `${m}×${k}`, productWith(weight, tokens, pattern));
    }
  for (const [outputs, channels, side] of quick ? CONVOLUTIONS.slice(-1) : CONVOLUTIONS)
    for (const pattern of CONV_PATTERNS) {
      say(`${outputs}×${channels}·3² ${side}² ${pattern}`);
      await check("conv", pattern, `${outputs}×${channels}·3²`, convolution(outputs, channels, side, 3, pattern));
    }
  return rows;
}
