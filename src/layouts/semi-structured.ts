import type { Layout } from "./layout.js";
import { bandLayout } from "./v-n-m.js";

/**
 * 2:4 by PyTorch's name, `semi-structured`: the bits of `n:m:2:4`. Values are [rows, 2 × ceil(cols / 4)]; indices are uint8
 * [rows, ceil(ceil(cols / 4) / 2)], one nibble a group (the lower nibble first) of idx0 | idx1 << 2, where only 4, 8, 9, C, D and
 * E occur: the codes and the choice for groups that keep fewer than two are those of `to_sparse_semi_structured`, in plain
 * row order instead of CUTLASS's (see `toCutlass`). float16 takes 9/16 of dense float16.
 */
export const semiStructured: Layout = bandLayout("semi-structured", "semi-structured", 1, 2, 4);
