/** Values of a few bits, packed low bits first: how com.microsoft stores block-quantized weights and their zero points. */

/** Value `i` of `bits` (2, 4 or 8) bits each among bytes that start at `at`. */
export function unpackBits(bytes: ArrayLike<number>, at: number, i: number, bits: number): number {
  const bit = i * bits;
  return ((bytes[at + (bit >> 3)]! & 255) >> (bit & 7)) & ((1 << bits) - 1);
}
