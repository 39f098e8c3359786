import { readFileSync } from "node:fs";
import { locate, NonzeroError } from "../tensor/index.js";

const PCM = 1;
const FLOAT = 3;

/**
 * The samples of a mono WAV file of 16-bit integers or 32-bit floats, in [-1, 1], at the file's own rate.
 * @throws NonzeroError naming the file: "not-found", "io", "invalid-model" for what is no WAV file, "unsupported" for other encodings.
 */
export const readWav = (file: string | URL): Float32Array => readWavFile(file).samples;

/** As `readWav`, with the samples a second. */
export const readWavFile = (file: string | URL): { samples: Float32Array; rate: number } =>
  locate({ file: String(file) }, () => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(file);
    } catch (cause) {
      const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
      throw new NonzeroError(missing ? "not-found" : "io", missing ? "there is no such file" : String(cause));
    }
    return parseWav(bytes);
  });

function parseWav(bytes: Buffer): { samples: Float32Array; rate: number } {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE")
    throw new NonzeroError("invalid-model", "this is no WAV file");
  let format: { encoding: number; channels: number; rate: number; bits: number } | null = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    const body = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + size));
    if (name === "fmt " && body.length >= 16) {
      const [encoding, channels] = [body.readUInt16LE(0), body.readUInt16LE(2)];
      // An extensible format says in its subformat what it is.
      const told = encoding === 0xfffe && body.length >= 26 ? body.readUInt16LE(24) : encoding;
      format = { encoding: told, channels, rate: body.readUInt32LE(4), bits: body.readUInt16LE(14) };
    } else if (name === "data" && format !== null) {
      return { samples: samplesOf(body, format), rate: format.rate };
    }
    at += 8 + size + (size & 1);
  }
  throw new NonzeroError("invalid-model", format === null ? "the file says no format" : "the file has no samples");
}

function samplesOf(
  body: Buffer,
  { encoding, channels, bits }: { encoding: number; channels: number; bits: number },
): Float32Array {
  if (channels !== 1) throw new NonzeroError("unsupported", `${channels} channels; mono is read`);
  if (encoding === PCM && bits === 16)
    return Float32Array.from({ length: body.length >> 1 }, (_, i) => body.readInt16LE(2 * i) / 32768);
  if (encoding === FLOAT && bits === 32)
    return Float32Array.from({ length: body.length >> 2 }, (_, i) => body.readFloatLE(4 * i));
  throw new NonzeroError(
    "unsupported",
    `encoding ${encoding} with ${bits} bits; 16-bit integers and 32-bit floats are read`,
  );
}
