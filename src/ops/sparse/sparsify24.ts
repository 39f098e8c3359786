import { sparsify24 as sparsifyTensor } from "../../layouts/index.js";
import { BOTH_WAYS_ALGORITHMS, type BothWaysAlgorithm } from "../../sparsity/index.js";
import { need } from "../infer.js";
import type { Operator } from "../operator.js";
import { packedTypes, tiledType } from "./tiles.js";

export interface Sparsify24Attributes {
  readonly algorithm: BothWaysAlgorithm;
}

/**
 * ai.nonzero Sparsify24, version 1: x [R, C] (float32, float16, bfloat16) pruned to 2:4 along its rows and its columns in one pass. Named after
 * xFormers' `sparsify24`, the function that users call; PyTorch's kernel for it is `torch._sparse_semi_structured_tile`, whose outputs
 * these are.
 *
 * | output | dtype | shape | |
 * | --- | --- | --- | --- |
 * | packed | x's | [R, C / 2] | `values` of x in layout `semi-structured` |
 * | meta | uint8 | [R, ceil(C / 8)] | its `indices` |
 * | packed_t | x's | [C, R / 2] | `values` of xᵀ |
 * | meta_t | uint8 | [C, ceil(R / 8)] | its `indices` |
 * | mask | uint16 | [R / 4, C / 4] | what each tile keeps: bit 4 × row + column |
 *
 * Attribute `algorithm` (string): see `BothWaysAlgorithm`; default `largest_abs_values_greedy`. 4 divides R and C.
 */
export const sparsify24: Operator<Sparsify24Attributes> = {
  name: "Sparsify24",
  domain: "ai.nonzero",
  attributes: (node) => ({
    algorithm: node.oneOf("algorithm", BOTH_WAYS_ALGORITHMS, "largest_abs_values_greedy"),
  }),
  infer(inputs) {
    const { dtype, shape } = tiledType(need(inputs, 0));
    const both = packedTypes(dtype, shape);
    return [both.packed, both.meta, both.packedT, both.metaT, both.mask];
  },
  evaluate(inputs, options) {
    const x = need(inputs, 0);
    tiledType({ type: x });
    const { sparse, transposed, mask } = sparsifyTensor(x, options);
    const [a, b] = [sparse.stored.parts, transposed.stored.parts];
    return [a.values!, a.indices!, b.values!, b.indices!, mask];
  },
};
