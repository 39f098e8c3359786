import { sharedRows } from "../backends/specs/matmul/shared-rows.js";
import type { Product } from "../backends/specs/node.js";
import { bestLayout } from "../layouts/index.js";
import type { Pattern } from "../sparsity/index.js";
import { byteLengthOf } from "../tensor/index.js";

/** Rows of the sample below; blocks may be as high. */
const ROWS = 128;

/**
 * What a pattern would make of a dense weight, without the weight: the layout that would store it, kept entries and bytes, as a band of random
 * scores has them. Null where no layout takes fewer bytes than the dense weight.
 */
export function prunedProduct(product: Product, pattern: Pattern): { product: Product; layout: string } | null {
  if (pattern.kind === "dense") return null;
  const rows = Math.min(product.rows, ROWS);
  const cols = product.depth;
  let state = 1;
  const data = Float32Array.from({ length: rows * cols }, () => {
    state = (state * 48271) % 2147483647;
    return state;
  });
  const mask = pattern.select({ rows, cols, data });
  const layout = bestLayout(mask, pattern);
  if (layout === null) return null;
  const { values, indexBytes } = layout.footprint(mask);
  const scale = product.rows / rows;
  const kept = Math.round(values * scale);
  const bytes = byteLengthOf("float32", kept) + Math.round(indexBytes * scale);
  return {
    layout: layout.text,
    product: { ...product, kept, bytes, share: sharedRows(layout.text, product.rows), dtype: "float32" },
  };
}
