import type { Value } from "../graph/index.js";
import { bitsOf, NonzeroError, sizeOf, Tensor } from "../tensor/index.js";
import { readNpy } from "./npy.js";

export interface InputOptions {
  /** `NAME=FILE.npy`, `NAME=random:SEED` or `random:SEED` for all that are not named. */
  readonly input?: readonly string[];
  /** `NAME=SIZE` for named dimensions of random inputs. */
  readonly dim?: readonly string[];
}

/**
 * A tensor for every input of a model: from .npy files, or random (floats normal with mean 0 and deviation 1, integers 0 to 9, bools false).
 * Named dimensions of random inputs are 1 unless given.
 */
export function feedsFor(inputs: readonly Value[], options: InputOptions): Record<string, Tensor> {
  const dims = dimensionsOf(options.dim ?? []);
  const given = new Map<string, string>();
  let seed = 0;
  for (const text of options.input ?? []) {
    const match = /^([^=]+)=(.+)$/.exec(text);
    if (match !== null) given.set(match[1]!, match[2]!);
    else if (text.startsWith("random:")) seed = seedOf(text);
    else
      throw new NonzeroError("invalid-argument", `'${text}' is neither NAME=FILE.npy nor NAME=random:SEED`, {
        field: "--input",
      });
  }
  for (const name of given.keys()) {
    if (!inputs.some((input) => input.name === name)) {
      const names = inputs.map((input) => `'${input.name}'`).join(", ");
      throw new NonzeroError("not-found", `the model has no input '${name}'; it has ${names}`, { field: "--input" });
    }
  }
  return Object.fromEntries(
    inputs.map((input, i) => {
      const source = given.get(input.name);
      if (source !== undefined && !source.startsWith("random:")) return [input.name, readNpy(source)];
      return [input.name, randomTensor(input, dims, source === undefined ? seed + i : seedOf(source))];
    }),
  );
}

/** `NAME=SIZE` texts as a map. */
export function dimensionsOf(texts: readonly string[]): Map<string, number> {
  return new Map(
    texts.map((text) => {
      const match = /^(.+)=(\d+)$/.exec(text);
      if (match === null) throw new NonzeroError("invalid-argument", `'${text}' is not NAME=SIZE`, { field: "--dim" });
      return [match[1]!, Number(match[2])];
    }),
  );
}

function seedOf(text: string): number {
  const seed = Number(text.slice("random:".length));
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new NonzeroError("invalid-argument", `'${text}' has no whole number as its seed`, { field: "--input" });
  return seed;
}

export function randomTensor({ name, type }: Value, dims: ReadonlyMap<string, number>, seed: number): Tensor {
  if (type === null || type.shape === null || type.dtype === "string") {
    throw new NonzeroError("invalid-argument", "random values need a known rank and a number type: give a file", {
      field: name,
    });
  }
  const shape = type.shape.map((dim) => (typeof dim === "number" ? dim : (dims.get(dim) ?? 1)));
  const size = sizeOf(shape);
  if (size * Math.max(1, bitsOf(type.dtype) / 8) > 2 ** 32)
    throw new NonzeroError("invalid-argument", `shape [${shape}] is too large for random values`, { field: name });
  const next = uniform(seed);
  if (type.dtype === "bool") return Tensor.zeros("bool", shape);
  const float = type.dtype.startsWith("float") || type.dtype === "bfloat16";
  return Tensor.from(
    type.dtype,
    shape,
    Float64Array.from({ length: size }, () => (float ? normal(next) : Math.floor(next() * 10))),
  );
}

/** Uniform numbers in [0, 1) from a seed: Marsaglia's xorshift32 (2003). */
export function uniform(seed: number): () => number {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ 0x6d2b79f5) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

/** A normal number from two uniform ones (Box and Muller, 1958). */
export const normal = (next: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
