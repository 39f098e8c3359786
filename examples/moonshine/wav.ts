import { readFileSync } from "node:fs";

/** The samples of a 16-bit mono WAV file, in [-1, 1). */
export function readWav(file: string | URL): Float32Array {
  const bytes = readFileSync(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    if (bytes.toString("latin1", at, at + 4) === "data") {
      return Float32Array.from(
        { length: Math.min(size, bytes.length - at - 8) >> 1 },
        (_, i) => view.getInt16(at + 8 + 2 * i, true) / 32768,
      );
    }
    at += 8 + size + (size & 1);
  }
  throw new Error(`${file} has no data chunk`);
}
