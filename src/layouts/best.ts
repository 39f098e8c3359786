import { type Mask, type Pattern, tightestPattern } from "../sparsity/index.js";
import { byteLengthOf } from "../tensor/index.js";
import { bitmask } from "./bitmask.js";
import { coo } from "./coo.js";
import { csr } from "./csr.js";
import type { Layout, ValueDataType } from "./layout.js";
import { parseLayout } from "./registry.js";
import { cols, rows } from "./structured.js";

/** Which layout stores each family of patterns; `null` where none is made for it. */
const LAYOUT_OF: Readonly<Record<string, (pattern: string) => string | null>> = {
  "n:m": (text) => (text === "2:4" ? "semi-structured" : `n:m:${text}`),
  "v:n:m": (text) => `v:n:m:${text}`,
  block: (text) => text.replace(/^block:(\w+)@.*$/, "bsr:$1"),
  "block+n:m": (text) => text.replace(/^block:(\w+)@.*\+(.*)$/, "bsr:$1+$2"),
  "shuffled-block": (text) => text.replace(/^shuffled-block:(\w+)@.*$/, "shuffled-bsr:$1"),
  "block-n:m": (text) => text.replace(/^block:/, "bnm:"),
  rows: () => "rows",
  cols: () => "cols",
};

/**
 * The layout that is made for a pattern: `semi-structured` for `2:4`, `bsr:16x16` for `block:16x16@90%`. Null for patterns
 * that only a layout for any mask can store (`unstructured`) and for `dense`.
 */
export function layoutOf(pattern: Pattern): Layout | null {
  const text = LAYOUT_OF[pattern.kind]?.(pattern.text) ?? null;
  return text === null ? null : parseLayout(text);
}

/** Bytes that a layout takes for a mask that fits it, without encoding it. */
export function encodedBytes(layout: Layout, mask: Mask, values: ValueDataType = "float32"): number {
  const footprint = layout.footprint(mask);
  return byteLengthOf(values, footprint.values) + footprint.indexBytes + (values === "int8" ? 4 * mask.rows : 0);
}

/**
 * The layout that stores a mask in the fewest bytes: the one made for its pattern, or one for any mask (csr, coo, bitmask,
 * rows, cols). Null when none takes fewer bytes than the dense matrix in the same value dtype. `pattern` is a hint that saves
 * looking for one; it need not hold.
 */
export function bestLayout(
  mask: Mask,
  pattern: Pattern = tightestPattern(mask),
  values: ValueDataType = "float32",
): Layout | null {
  const own = layoutOf(pattern);
  let best: Layout | null = null;
  let bestBytes = byteLengthOf(values, mask.rows * mask.cols) + (values === "int8" ? 4 * mask.rows : 0);
  for (const layout of [...(own === null ? [] : [own]), csr, bitmask, rows, cols, coo]) {
    if (layout.misfit(mask) !== null) continue;
    const bytes = encodedBytes(layout, mask, values);
    if (bytes >= bestBytes) continue;
    best = layout;
    bestBytes = bytes;
  }
  return best;
}

/** Layouts that lead a device to a kernel which others do not: rows that share their columns, found without looking for them. */
const FASTEST = /^(v:n:m|bsr|shuffled-bsr|bnm|rows|cols)/;

/**
 * The layout that a mask is multiplied fastest in: the one made for its pattern (the hint's or, where that is none of those, the mask's own) where
 * devices have a kernel for that, and `bestLayout` where they treat all layouts alike. Null as there.
 */
export function fastestLayout(mask: Mask, pattern?: Pattern, values: ValueDataType = "float32"): Layout | null {
  const dense = byteLengthOf(values, mask.rows * mask.cols) + (values === "int8" ? 4 * mask.rows : 0);
  for (const found of [() => pattern, () => tightestPattern(mask)]) {
    const known = found();
    const layout = known === undefined ? null : layoutOf(known);
    if (layout === null || !FASTEST.test(layout.text) || layout.misfit(mask) !== null) continue;
    if (encodedBytes(layout, mask, values) < dense) return layout;
  }
  return bestLayout(mask, pattern, values);
}
