import { layoutOf, parseLayout, type SparseTensor } from "../../layouts/index.js";
import { type Mask, type Pattern, tightestPattern } from "../../sparsity/index.js";
import { type FormsOf, maskOfWeight } from "../tuner/index.js";
import type { DeviceInfo } from "./kernel.js";
import { isProcessor } from "./kernels/lanes/device.js";
import { MOST_TOKENS } from "./kernels/matmul/rows.js";

/** Layouts that have a kernel which skips what they leave out. */
const SKIPPED = /^(v:n:m|bsr|shuffled-bsr|bnm|cols)/;

/**
 * On a GPU the layout decides the kernel: with more than a few tokens, a weight that is block-sparse, V:n:m or has empty columns is multiplied
 * by what it keeps if it is stored so, and as if dense if it is stored as csr. Few tokens read each row as compressed as it is stored; convolutions and processors
 * that play GPU take any layout.
 */
export const formsOf =
  (device: DeviceInfo): FormsOf =>
  (weight, { op, tokens, layout, rows, cols }) => {
    if (!layout.endsWith("/float32") && !layout.endsWith("float16")) return ["stored"];
    if (op === "conv" || isProcessor(device) || tokens <= MOST_TOKENS || SKIPPED.test(layout))
      return ["stored", "dense"];
    const found = structureOf(weight);
    if (found !== null) return [found, "stored", "dense"];
    // Spreading it out takes a few percent of a dense product's time, for less memory; without less memory, for nothing.
    return weight.byteLength >= 4 * rows * cols ? ["dense", "stored"] : ["stored", "dense"];
  };

const structures = new WeakMap<SparseTensor, string | null>();

/** The layout that skips what the weight's mask leaves out; null where there is none. */
function structureOf(weight: SparseTensor): string | null {
  let found = structures.get(weight);
  if (found === undefined) {
    const pattern = tightestPattern(cornerOf(weight));
    const layout = isSkipped(pattern) ? layoutOf(pattern) : null;
    found = layout !== null && layout.misfit(maskOfWeight(weight)) === null ? layout.text : null;
    structures.set(weight, found);
  }
  return found;
}

/** Blocks as high as the lowest tile, bands as high as a thread's rows, and whole columns. */
function isSkipped({ kind, text }: Pattern): boolean {
  const size = Number(/\d+/.exec(text)?.[0]);
  if (kind === "block") return size >= 16;
  if (kind === "v:n:m") return size % 4 === 0;
  return kind === "cols";
}

/** The mask of the first rows and columns: enough to tell that there is no structure, which is the usual case. */
function cornerOf({ stored }: SparseTensor): Mask {
  const [rows, cols] = [Math.min(stored.rows, 64), Math.min(stored.cols, 1024)];
  const data = new Uint8Array(rows * cols);
  parseLayout(stored.layout).visit(stored, (row, col) => {
    if (row < rows && col < cols) data[row * cols + col] = 1;
  });
  return { rows, cols, data };
}
