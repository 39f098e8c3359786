import { describe } from "vitest";
import { type Case, testAgainstOnnxruntime } from "../../../test/support/onnxruntime.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { type DataType, Tensor } from "../../tensor/index.js";

const domain = "com.microsoft";
const random = randomSource(768);
const f = (...shape: number[]) => randomTensor(random, shape);
const u8 = (...shape: number[]) => randomTensor(random, shape, 0, 256, "uint8");
const i8 = (...shape: number[]) => randomTensor(random, shape, -127, 128, "int8");
const integers = (dtype: DataType, shape: number[], values: number[]) => Tensor.from(dtype, shape, values);

const cases: Record<string, Case> = {
  fusedconv: {
    op: "FusedConv",
    domain,
    inputs: [f(1, 4, 6, 7), f(5, 4, 3, 3), f(5)],
    attributes: { pads: [1, 1, 1, 1], activation: "LeakyRelu", activation_params: [0.1] },
  },
  fusedconvz: {
    op: "FusedConv",
    domain,
    inputs: [f(1, 4, 6, 7), f(5, 4, 3, 3), f(5), f(1, 5, 6, 7)],
    attributes: { pads: [1, 1, 1, 1], activation: "Relu" },
  },
  fusedconvclip: {
    op: "FusedConv",
    domain,
    inputs: [f(1, 4, 6, 7), f(5, 4, 3, 3), f(5)],
    attributes: { activation: "HardSigmoid", activation_params: [0.3, 0.4] },
  },
  fusedgemm: {
    op: "FusedGemm",
    domain,
    inputs: [f(4, 3), f(5, 3), f(5)],
    attributes: { transB: 1, activation: "LeakyRelu", activation_alpha: 0.2, alpha: 0.5 },
  },
  fusedmm: { op: "FusedMatMul", domain, inputs: [f(2, 3, 4), f(2, 3, 5)], attributes: { transA: 1, alpha: 0.25 } },
  fusedmmb: {
    op: "FusedMatMul",
    domain,
    inputs: [f(3, 2, 4), f(5, 2, 4)],
    attributes: { transBatchA: 1, transBatchB: 1, transB: 1, alpha: 0.25 },
  },
  fusedmmb4: { op: "FusedMatMul", domain, inputs: [f(3, 2, 6, 4), f(2, 6, 4, 5)], attributes: { transBatchA: 1 } },
  nbits4: {
    op: "MatMulNBits",
    domain,
    inputs: [f(2, 3, 40), u8(6, 3, 8), randomTensor(random, [6, 3])],
    attributes: { K: 40, N: 6, bits: 4, block_size: 16 },
  },
  nbits4z: {
    op: "MatMulNBits",
    domain,
    inputs: [f(2, 3, 40), u8(6, 3, 8), randomTensor(random, [6, 3]), u8(6, 2)],
    attributes: { K: 40, N: 6, bits: 4, block_size: 16 },
  },
  nbits4zf: {
    op: "MatMulNBits",
    domain,
    inputs: [f(2, 3, 40), u8(6, 3, 8), randomTensor(random, [6, 3]), f(6, 3), null, f(6)],
    attributes: { K: 40, N: 6, bits: 4, block_size: 16 },
  },
  nbits8: {
    op: "MatMulNBits",
    domain,
    inputs: [f(3, 64), u8(6, 2, 32), randomTensor(random, [6, 2]), u8(6, 2)],
    attributes: { K: 64, N: 6, bits: 8, block_size: 32 },
  },
  nbits2: {
    op: "MatMulNBits",
    domain,
    inputs: [f(3, 64), u8(6, 2, 8), randomTensor(random, [6, 2])],
    attributes: { K: 64, N: 6, bits: 2, block_size: 32 },
  },
  dqmm: {
    op: "DynamicQuantizeMatMul",
    domain,
    inputs: [f(3, 8), i8(8, 5), randomTensor(random, [5], 0.01, 0.02), i8(5), f(5)],
  },
  mmif: {
    op: "MatMulIntegerToFloat",
    domain,
    inputs: [
      u8(3, 8),
      i8(8, 5),
      integers("float32", [], [0.02]),
      randomTensor(random, [5], 0.01, 0.02),
      integers("uint8", [], [120]),
      i8(5),
      f(5),
    ],
  },
  mmif2: {
    op: "MatMulIntegerToFloat",
    domain,
    inputs: [u8(2, 3, 8), u8(8, 5), integers("float32", [], [0.02]), integers("float32", [], [0.01])],
  },
  gbq: {
    op: "GatherBlockQuantized",
    domain,
    inputs: [u8(7, 16), integers("int64", [2, 2], [0, 6, 3, -1]), randomTensor(random, [7, 2])],
    attributes: { bits: 4, block_size: 16, quantize_axis: 1 },
  },
  gbqz: {
    op: "GatherBlockQuantized",
    domain,
    inputs: [u8(7, 32), integers("int64", [2, 2], [0, 6, 3, -1]), randomTensor(random, [7, 2]), u8(7, 2)],
    attributes: { bits: 8, block_size: 16, quantize_axis: 1 },
  },
};

describe("com.microsoft matrix products", () => {
  testAgainstOnnxruntime(cases);
});
