/** Byte encodings of the WebAssembly binary format (core specification, section 5.2). */

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 0x80 : low);
  } while (rest > 0);
  return bytes;
}

/** Signed LEB128 of a 32-bit integer. */
export function signed32(value: number): number[] {
  return signed64(BigInt(value | 0));
}

/** Signed LEB128 of a 64-bit integer. */
export function signed64(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

export const float32Bytes = (value: number): number[] => [...new Uint8Array(Float32Array.of(value).buffer)];
export const float64Bytes = (value: number): number[] => [...new Uint8Array(Float64Array.of(value).buffer)];

/** A vector: its length, then its items. */
export const vector = (items: readonly (readonly number[])[]): number[] => [...unsigned(items.length), ...items.flat()];

/** A name in UTF-8. */
export const name = (text: string): number[] => {
  const bytes = new TextEncoder().encode(text);
  return [...unsigned(bytes.length), ...bytes];
};

export const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body];
