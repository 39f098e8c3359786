import type { ValueType } from "../../graph/index.js";
import { packBothWays } from "../../layouts/index.js";
import { NonzeroError, type Tensor } from "../../tensor/index.js";
import { expectDtype, isConcrete, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { packedTypes, tiledType } from "./tiles.js";

/**
 * ai.nonzero Sparsify24Like, version 1: x [R, C] under the mask of a Sparsify24, whose meta and meta_t hold for it too. Named after xFormers'
 * `sparsify24_like`; PyTorch's `torch._sparse_semi_structured_apply`.
 *
 * Inputs: x (float32, float16, bfloat16), mask (uint16 [R / 4, C / 4], at most two bits in each row and column of a tile).
 * Outputs: packed [R, C / 2] and packed_t [C, R / 2], of x's dtype.
 */
export const sparsify24Like: Operator<null> = {
  name: "Sparsify24Like",
  domain: "ai.nonzero",
  attributes: () => null,
  infer(inputs) {
    const { dtype, shape } = tiledType(need(inputs, 0));
    expectDtype(need(inputs, 1).type.dtype, ["uint16"]);
    checkMaskShape(shape, need(inputs, 1).type.shape);
    const both = packedTypes(dtype, shape);
    return [both.packed, both.packedT];
  },
  evaluate(inputs) {
    const [x, mask] = [need(inputs, 0), need(inputs, 1)];
    checkMaskShape(tiledType({ type: x }).shape, mask.shape);
    checkMask(mask);
    const { sparse, transposed } = packBothWays(x, mask);
    return [sparse.stored.parts.values!, transposed.stored.parts.values!];
  },
};

function checkMaskShape(x: ValueType["shape"], mask: ValueType["shape"]): void {
  if (mask === null || !isConcrete(mask) || x === null || !isConcrete(x)) return;
  if (mask.length === 2 && x.every((dim, axis) => dim === 4 * mask[axis]!)) return;
  throw new NonzeroError("shape", `[${mask}] tiles do not fit a tensor of shape [${x}]`);
}

/** @throws NonzeroError "layout" for a tile that is not 2:4 both ways. */
function checkMask(mask: Tensor): void {
  const at = (mask.data as Uint16Array).findIndex((tile) => !isTileMask(tile));
  if (at < 0) return;
  throw new NonzeroError("layout", `tile ${at} of the mask keeps more than two in a row or column`, { field: "mask" });
}

const isTileMask = (tile: number): boolean =>
  [0, 1, 2, 3].every((i) => {
    const [row, col] = [(tile >> (4 * i)) & 0xf, (tile >> i) & 0x1111];
    return bitCount(row) <= 2 && bitCount(col) <= 2;
  });

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
