import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { type DataType, Tensor } from "../../tensor/index.js";

const domain = "com.microsoft";
const random = randomSource(448);
const f = (...shape: number[]) => randomTensor(random, shape);
const integers = (dtype: DataType, shape: number[], values: number[]) => Tensor.from(dtype, shape, values);

const cases: Record<string, Case> = {
  biasgelu: { op: "BiasGelu", domain, inputs: [f(2, 3, 8), f(8)] },
  fastgelu: { op: "FastGelu", domain, inputs: [f(2, 3, 8), f(8)] },
  fastgelu2: { op: "FastGelu", domain, inputs: [f(2, 3, 8)] },
  gelu: { op: "Gelu", domain, inputs: [f(2, 3, 8)] },
  quick: { op: "QuickGelu", domain, inputs: [f(2, 3, 8)], attributes: { alpha: 1.5 } },
  sln: {
    op: "SkipLayerNormalization",
    domain,
    outputs: 4,
    inputs: [f(2, 3, 8), f(2, 3, 8), f(8), f(8), f(8)],
    attributes: { epsilon: 1e-5 },
  },
  slnb: {
    op: "SkipLayerNormalization",
    domain,
    outputs: 1,
    inputs: [f(2, 3, 8), f(3, 8), f(8), null],
    attributes: { epsilon: 1e-5 },
  },
  ssln: {
    op: "SkipSimplifiedLayerNormalization",
    domain,
    outputs: 4,
    inputs: [f(2, 3, 8), f(2, 3, 8), f(8), f(8)],
    attributes: { epsilon: 1e-5 },
  },
  simple: {
    op: "SimplifiedLayerNormalization",
    domain: "",
    version: 17,
    outputs: 2,
    inputs: [f(2, 3, 8), f(8)],
    attributes: { epsilon: 1e-5 },
  },
  embed: {
    op: "EmbedLayerNormalization",
    domain,
    outputs: 2,
    inputs: [
      integers("int32", [2, 3], [0, 3, 2, 1, 1, 0]),
      integers("int32", [2, 3], [0, 0, 1, 1, 1, 0]),
      f(4, 8),
      f(5, 8),
      f(2, 8),
      f(8),
      f(8),
      integers("int32", [2, 3], [1, 1, 0, 1, 1, 1]),
    ],
    attributes: { epsilon: 1e-5 },
  },
  embed2: {
    op: "EmbedLayerNormalization",
    domain,
    outputs: 3,
    inputs: [
      integers("int32", [2, 3], [0, 3, 2, 1, 1, 0]),
      null,
      f(4, 8),
      f(5, 8),
      null,
      f(8),
      f(8),
      null,
      integers("int32", [2, 3], [1, 4, 0, 2, 1, 3]),
    ],
    attributes: { epsilon: 1e-5 },
  },
};

describe("com.microsoft activations and normalization", () => {
  testAgainstOnnxruntime(cases);
});
