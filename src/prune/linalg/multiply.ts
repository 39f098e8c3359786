import { type MultiplyKernel, multiplyKernel, TILE } from "./multiply-kernel.js";
import { block, type View } from "./view.js";

/** Blocks that stay in the caches: A's, DEPTH × ROWS doubles, in L2, a panel of B's in L1. Multiples of TILE. */
const DEPTH = 256;
const ROWS = 128;
const COLS = 512;

interface Scratch {
  readonly kernel: MultiplyKernel;
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly c: Float64Array;
}

let scratch: Scratch | undefined;

function prepare(): Scratch {
  const bytes = 8 * (ROWS * DEPTH + DEPTH * COLS + ROWS * COLS);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  const b = 8 * ROWS * DEPTH;
  const c = b + 8 * DEPTH * COLS;
  return {
    kernel: multiplyKernel(memory),
    a: new Float64Array(memory.buffer, 0, ROWS * DEPTH),
    b: new Float64Array(memory.buffer, b, DEPTH * COLS),
    c: new Float64Array(memory.buffer, c, ROWS * COLS),
  };
}

/**
 * C += alpha·A·B, in double precision, where C is [m, n], A [m, k] and B [k, n]. `lower` leaves out entries above C's diagonal. C must not
 * overlap A or B. Each entry is within k·2⁻⁵³·Σ|a·b| of the true sum; its bits depend on the shapes alone.
 */
export function multiplyAdd(c: View, a: View, b: View, alpha = 1, part: "all" | "lower" = "all"): void {
  scratch ??= prepare();
  const width = part === "lower" ? ROWS : COLS;
  for (let left = 0; left < c.cols; left += width) {
    const right = Math.min(left + width, c.cols);
    for (let start = 0; start < a.cols; start += DEPTH) {
      const end = Math.min(start + DEPTH, a.cols);
      packColumns(block(b, start, end, left, right), scratch.b);
      for (let top = part === "lower" ? left - (left % ROWS) : 0; top < c.rows; top += ROWS) {
        const bottom = Math.min(top + ROWS, c.rows);
        packRows(block(a, top, bottom, start, end), scratch.a);
        const rowPanels = Math.ceil((bottom - top) / TILE);
        const colPanels = Math.ceil((right - left) / TILE);
        scratch.kernel(
          scratch.a.byteOffset,
          scratch.b.byteOffset,
          scratch.c.byteOffset,
          rowPanels,
          colPanels,
          end - start,
        );
        addTo(
          block(c, top, bottom, left, right),
          scratch.c,
          colPanels * TILE,
          alpha,
          part === "lower" ? top - left : null,
        );
      }
    }
  }
}

/** Panels of TILE columns [panels, depth, TILE], zeros beyond the last column. */
function packColumns({ data, at, rows, cols, rowStep, colStep }: View, to: Float64Array): void {
  let next = 0;
  for (let left = 0; left < cols; left += TILE) {
    const from = at + left * colStep;
    if (left + TILE <= cols) {
      for (let row = 0, i = from; row < rows; row++, i += rowStep) {
        to[next] = data[i]!;
        to[next + 1] = data[i + colStep]!;
        to[next + 2] = data[i + 2 * colStep]!;
        to[next + 3] = data[i + 3 * colStep]!;
        next += TILE;
      }
      continue;
    }
    for (let row = 0; row < rows; row++)
      for (let col = 0; col < TILE; col++)
        to[next++] = left + col < cols ? data[from + row * rowStep + col * colStep]! : 0;
  }
}

/** Panels of TILE rows [panels, depth, TILE], zeros beyond the last row. */
const packRows = ({ data, at, rows, cols, rowStep, colStep }: View, to: Float64Array): void =>
  packColumns({ data, at, rows: cols, cols: rows, rowStep: colStep, colStep: rowStep }, to);

/** C += alpha·product; with a `diagonal` only where column ≤ row + diagonal. */
function addTo(
  { data, at, rows, cols, rowStep, colStep }: View,
  product: Float64Array,
  stride: number,
  alpha: number,
  diagonal: number | null,
): void {
  for (let row = 0; row < rows; row++) {
    const end = diagonal === null ? cols : Math.min(cols, row + diagonal + 1);
    const from = row * stride;
    for (let col = 0, i = at + row * rowStep; col < end; col++, i += colStep)
      data[i] = data[i]! + alpha * product[from + col]!;
  }
}

/** Copies the entries below the diagonal of a square row-major matrix to above it. */
export function mirrorLower(data: Float64Array, n: number): void {
  for (let row = 0; row < n; row++) for (let col = row + 1; col < n; col++) data[row * n + col] = data[col * n + row]!;
}
