import type { Dim } from "../../graph/index.js";
import { NonzeroError, normalizeAxis, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { numbersFor } from "../elementwise.js";
import { need } from "../infer.js";
import { multiplyDim } from "../nn/dims.js";
import type { Operator } from "../operator.js";
import { unpackBits } from "./packed-blocks.js";

export interface GatherBlockQuantizedAttributes {
  readonly bits: number;
  readonly blockSize: number;
  readonly gatherAxis: number;
  readonly quantizeAxis: number;
}

/** Values that a stored element of the last axis stands for: uint8 holds 8/bits of them, int4 and uint4 are what they are. */
const perElement = (dtype: string, bits: number): number => (dtype === "uint8" ? 8 / bits : 1);

/**
 * com.microsoft GatherBlockQuantized: rows of block-quantized data picked along gather_axis by indices, dequantized:
 * (q − zero point) · scale, blocks along quantize_axis. Data is int4 or uint4 (zero point 0 unless given), or uint8 with values of
 * `bits` packed along the last axis (2^(bits−1) unless given). An index out of range gives zeros.
 */
export const gatherBlockQuantized: Operator<GatherBlockQuantizedAttributes> = {
  name: "GatherBlockQuantized",
  domain: "com.microsoft",
  attributes: (node) => {
    const bits = node.int("bits", 4);
    if (![2, 4, 8].includes(bits)) node.fail("bits", `${bits} is none of 2, 4, 8`);
    const blockSize = node.int("block_size", 128);
    if (blockSize < 16 || (blockSize & (blockSize - 1)) !== 0)
      node.fail("block_size", `${blockSize} is no power of 2 from 16 on`);
    return { bits, blockSize, gatherAxis: node.int("gather_axis", 0), quantizeAxis: node.int("quantize_axis", 1) };
  },
  infer: (inputs, a) => {
    const [data, indices, scales] = [need(inputs, 0).type, need(inputs, 1).type, need(inputs, 2).type];
    if (data.shape === null || indices.shape === null) return [{ dtype: scales.dtype, shape: null }];
    const axis = normalizeAxis(a.gatherAxis, data.shape.length, "gather_axis");
    const full: Dim[] = [...data.shape];
    full.push(multiplyDim(full.pop()!, perElement(data.dtype, a.bits)));
    return [{ dtype: scales.dtype, shape: [...full.slice(0, axis), ...indices.shape, ...full.slice(axis + 1)] }];
  },
  evaluate: (inputs, a) => {
    const [data, indices, scales] = [need(inputs, 0), need(inputs, 1), need(inputs, 2)];
    const packed = data.dtype === "uint8";
    const rank = data.shape.length;
    const shape = [...data.shape.slice(0, -1), data.shape[rank - 1]! * perElement(data.dtype, a.bits)];
    const gatherAxis = normalizeAxis(a.gatherAxis, rank, "gather_axis");
    const quantizeAxis = normalizeAxis(a.quantizeAxis, rank, "quantize_axis");
    const blocks = shape.map((dim, axis) => (axis === quantizeAxis ? Math.ceil(dim / a.blockSize) : dim));
    if (scales.shape.length !== rank || scales.shape.some((dim, axis) => dim !== blocks[axis]))
      throw new NonzeroError("shape", `expected scales [${blocks}], found [${scales.shape}]`);
    const [levels, picks, factors] = [data.numbers(), indices.numbers(), scales.numbers()];
    const zeros = inputs[3]?.numbers();
    const zeroRow = packed ? Math.ceil((blocks[rank - 1]! * a.bits) / 8) : blocks[rank - 1]!;
    if (zeros !== undefined && zeros.length !== sizeOf(blocks.slice(0, -1)) * zeroRow)
      throw new NonzeroError("shape", `zero points [${inputs[3]!.shape}] for scales [${blocks}]`);
    const inner = sizeOf(shape.slice(gatherAxis + 1));
    const outer = sizeOf(shape.slice(0, gatherAxis));
    const size = shape[gatherAxis]!;
    const strides = stridesOf(shape);
    const blockStrides = stridesOf(blocks);
    const result = numbersFor(scales.dtype, outer * picks.length * inner);
    let to = 0;
    for (let o = 0; o < outer; o++) {
      for (let p = 0; p < picks.length; p++) {
        const pick = picks[p]! < 0 ? picks[p]! + size : picks[p]!;
        for (let i = 0; i < inner; i++, to++) {
          if (!(pick >= 0 && pick < size)) continue;
          const flat = (o * size + pick) * inner + i;
          let block = 0;
          for (let axis = 0; axis < rank; axis++) {
            const at = Math.floor(flat / strides[axis]!) % shape[axis]!;
            block += (axis === quantizeAxis ? Math.floor(at / a.blockSize) : at) * blockStrides[axis]!;
          }
          const level = packed ? unpackBits(levels, 0, flat, a.bits) : levels[flat]!;
          let zero = packed ? 2 ** (a.bits - 1) : 0;
          if (zeros !== undefined) {
            const last = blocks[rank - 1]!;
            zero = packed ? unpackBits(zeros, Math.floor(block / last) * zeroRow, block % last, a.bits) : zeros[block]!;
          }
          result[to] = (level - zero) * factors[block]!;
        }
      }
    }
    const taken = [...shape.slice(0, gatherAxis), ...indices.shape, ...shape.slice(gatherAxis + 1)];
    return [Tensor.from(scales.dtype, taken, result)];
  },
};
