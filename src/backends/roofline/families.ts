import { bitsOf } from "../../tensor/index.js";
import type { Cost, Product } from "../specs/node.js";

/**
 * How the time of a family's kernels grows: terms that a calibration finds the seconds of. What depends on how a kernel is written is in the
 * seconds, so that a better kernel needs another calibration and no other terms.
 */

/** Vectors of 4 tokens that a tile of a product's kernel holds, about: a pass over the weight is one for each so many. */
const WIDTH = { sparse: 12, shared: 6, dense: 6 } as const;
/** Inputs that a pass takes before it puts sums away, about. */
const SLAB = 256;

export type ProductKind = keyof typeof WIDTH;

export const kindOf = ({ kept, rows, depth, share, bytes }: Product): ProductKind =>
  kept === rows * depth && bytes >= kept && share === rows ? "dense" : share > 1 ? "shared" : "sparse";

/** Few tokens have kernels of their own. */
const MOST_FEW = 12;

/** Share of kept weights from which one token multiplies bits of places and values (`matmul/mask-dots.ts`). */
const MASKED = 0.35;

const isMasked = (product: Product): boolean => {
  const { rows, depth, tokens, kept, dtype, window } = product;
  const wanted = tokens === 1 && dtype === "float32" && depth % 8 === 0 && kept >= MASKED * rows * depth;
  return wanted && !window && kindOf(product) !== "dense";
};

/** The family of a product: its kernel's kind, what weights are stored as, and one, few or many tokens. */
export function productFamily(product: Product): string {
  const { tokens, dtype, window } = product;
  const extent = tokens === 1 ? "1" : tokens <= MOST_FEW ? "few" : "many";
  const kind = isMasked(product) ? "masked" : kindOf(product);
  return `${window ? "conv" : "linear"}/${kind}/${dtype}/${extent}`;
}

/** The last term of a product is outside of what overlaps with bringing the weight. */
export const PRODUCT_TERMS = ["run", "weights × vectors", "weights × passes", "strips × passes", "elements of x and y"];

/** What a product's terms count, in the order of `PRODUCT_TERMS`. */
export function productTerms(product: Product): number[] {
  const { rows, depth, tokens, kept } = product;
  const kind = kindOf(product);
  const vectors = Math.ceil(tokens / 4);
  const passes = Math.ceil(vectors / WIDTH[kind]);
  const strips = Math.ceil(rows / (kind === "sparse" ? 1 : 2)) * Math.max(1, Math.ceil(depth / SLAB));
  return [1, kept * vectors, kept * passes, strips * passes, (rows + depth) * tokens];
}

/** Bytes that a sparse weight takes in the order in which it is streamed: each value with 16 bits of place, each strip with a header; masked, a bit a place. */
export function streamBytes(product: Product): number {
  const { rows, depth, kept, dtype } = product;
  const value = bitsOf(dtype) / 8;
  const kind = kindOf(product);
  if (kind === "dense") return kept * value;
  if (isMasked(product)) return kept * value + (rows * depth) / 8;
  const strips = Math.ceil(rows / (kind === "sparse" ? 1 : 2)) * Math.max(1, Math.ceil(depth / SLAB));
  return kept * value + (2 * kept) / (kind === "sparse" ? 1 : 2) + 8 * strips;
}

export const KERNEL_TERMS = ["run", "multiply-adds", "bytes"];

/** What the terms of any other kernel count. */
export const kernelTerms = ({ multiplyAdds, bytes }: Cost): number[] => [1, multiplyAdds, bytes];

export const kernelFamily = (kernel: string): string => `kernel/${kernel}`;
