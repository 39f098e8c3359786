/** One bit an entry, as compressed-tensors packs it: each row fills up its own bytes, column j is bit j % 8 of byte floor(j / 8). */

export const bitRowBytes = (cols: number): number => Math.ceil(cols / 8);

/** The bits of a mask's entries, [rows, ceil(cols / 8)]. */
export function packBits(mask: { rows: number; cols: number; data: Uint8Array }): Uint8Array {
  const { rows, cols, data } = mask;
  const rowBytes = bitRowBytes(cols);
  const bytes = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      if (data[row * cols + col] === 0) continue;
      const at = row * rowBytes + (col >> 3);
      bytes[at] = bytes[at]! | (1 << (col & 7));
    }
  }
  return bytes;
}

/** Calls `visit(row, col)` for each set bit, by ascending row and column. */
export function visitBits(
  bytes: Uint8Array,
  rows: number,
  cols: number,
  visit: (row: number, col: number) => void,
): void {
  const rowBytes = bitRowBytes(cols);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < rowBytes; i++) {
      for (let bits = bytes[row * rowBytes + i]!; bits !== 0; bits &= bits - 1) {
        visit(row, i * 8 + 31 - Math.clz32(bits & -bits));
      }
    }
  }
}

export function countBits(bytes: Uint8Array): number {
  let count = 0;
  for (let bits of bytes) for (; bits !== 0; bits &= bits - 1) count++;
  return count;
}

/** The first row with a bit beyond `cols`, or -1. */
export function strayBits(bytes: Uint8Array, rows: number, cols: number): number {
  const rowBytes = bitRowBytes(cols);
  if (cols % 8 === 0) return -1;
  for (let row = 0; row < rows; row++) if (bytes[(row + 1) * rowBytes - 1]! >> (cols % 8) !== 0) return row;
  return -1;
}
