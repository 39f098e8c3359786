import { NonzeroError, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need, unifyDim } from "../infer.js";
import type { Operator } from "../operator.js";
import { unpackBits } from "./packed-blocks.js";

export interface MatMulNBitsAttributes {
  readonly K: number;
  readonly N: number;
  readonly bits: number;
  readonly blockSize: number;
}

/**
 * The weight [N, K] that MatMulNBits' inputs stand for: (q − zero point) · scale for each block of `blockSize` along K. B is
 * uint8 [N, blocks, blockSize·bits/8], scales [N, blocks]; zero points are uint8, packed as B is in rows of whole bytes, or
 * of scales' dtype, [N, blocks]; 2^(bits−1) where there are none.
 * @throws NonzeroError "shape" when sizes do not fit.
 */
export function dequantizeBlocks(
  b: Tensor,
  scales: Tensor,
  zeroPoints: Tensor | null,
  { K, N, bits, blockSize }: MatMulNBitsAttributes,
): Float64Array {
  const blocks = Math.ceil(K / blockSize);
  const blobSize = (blockSize * bits) / 8;
  const packedZeros = zeroPoints !== null && zeroPoints.dtype === "uint8";
  const zeroRow = packedZeros ? Math.ceil((blocks * bits) / 8) : blocks;
  if (b.size !== N * blocks * blobSize || scales.size !== N * blocks)
    throw new NonzeroError("shape", `B [${b.shape}] and scales [${scales.shape}] for K = ${K}, N = ${N}`);
  if (zeroPoints !== null && zeroPoints.size !== N * zeroRow)
    throw new NonzeroError("shape", `zero points [${zeroPoints.shape}] for ${N} rows of ${blocks} blocks`);
  const [bytes, factors, zeros] = [b.numbers(), scales.numbers(), zeroPoints?.numbers()];
  const weight = new Float64Array(N * K);
  for (let n = 0; n < N; n++) {
    for (let block = 0; block < blocks; block++) {
      const scale = factors[n * blocks + block]!;
      let zero = 2 ** (bits - 1);
      if (zeros !== undefined)
        zero = packedZeros ? unpackBits(zeros, n * zeroRow, block, bits) : zeros[n * zeroRow + block]!;
      const first = block * blockSize;
      const last = Math.min(K, first + blockSize);
      const at = (n * blocks + block) * blobSize;
      for (let k = first; k < last; k++) weight[n * K + k] = (unpackBits(bytes, at, k - first, bits) - zero) * scale;
    }
  }
  return weight;
}

/** com.microsoft MatMulNBits: A [..., K] times the transpose of the block-quantized weight [N, K], plus bias [N], to [..., N]. */
export const matMulNBits: Operator<MatMulNBitsAttributes> = {
  name: "MatMulNBits",
  domain: "com.microsoft",
  attributes: (node) => {
    const [K, N, bits, blockSize] = [node.int("K"), node.int("N"), node.int("bits", 4), node.int("block_size")];
    if (![2, 4, 8].includes(bits)) node.fail("bits", `${bits} is none of 2, 4, 8`);
    if (K < 1) node.fail("K", `${K} is below 1`);
    if (N < 1) node.fail("N", `${N} is below 1`);
    if (blockSize < 16 || (blockSize & (blockSize - 1)) !== 0)
      node.fail("block_size", `${blockSize} is no power of 2 from 16 on`);
    if (node.int("weight_prepacked", 0) !== 0)
      throw new NonzeroError("unsupported", "prepacked weights are a device's own layout", {
        field: "weight_prepacked",
      });
    return { K, N, bits, blockSize };
  },
  infer: (inputs, { K, N }) => {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return [{ dtype, shape: null }];
    if (shape.length < 1) throw new NonzeroError("shape", "A is a scalar");
    unifyDim(shape[shape.length - 1]!, K, "A's last axis and K,");
    return [{ dtype, shape: [...shape.slice(0, -1), N] }];
  },
  evaluate: (inputs, a) => {
    if (inputs[4] != null) throw new NonzeroError("unsupported", "g_idx is deprecated and not supported");
    const x = need(inputs, 0);
    const { K, N } = a;
    if (x.shape[x.shape.length - 1] !== K) throw new NonzeroError("shape", `A of shape [${x.shape}] for K = ${K}`);
    const weight = dequantizeBlocks(need(inputs, 1), need(inputs, 2), inputs[3] ?? null, a);
    const values = x.numbers();
    const bias = inputs[5]?.numbers();
    const rows = values.length / K;
    const result = numbersFor(x.dtype, rows * N);
    for (let row = 0; row < rows; row++) {
      for (let n = 0; n < N; n++) {
        let sum = bias === undefined ? 0 : bias[n]!;
        for (let k = 0; k < K; k++) sum += values[row * K + k]! * weight[n * K + k]!;
        result[row * N + n] = sum;
      }
    }
    return [Tensor.from(x.dtype, [...x.shape.slice(0, -1), N], result)];
  },
};
