import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import type { Value } from "../graph/index.js";
import type { Feeds } from "../prune/index.js";
import { locate, NonzeroError, sizeOf, Tensor } from "../tensor/index.js";
import { readNpy } from "./npy.js";
import { readWav } from "./wav.js";

/**
 * Calibration samples for a model's inputs from a path:
 *
 * - a folder of `.npy` and `.wav` files, a sample each, for a model with one input;
 * - a folder of folders, a sample each, with an `INPUT.npy` for every input;
 * - a `.jsonl` file, a sample a line: an object from input names to (nested lists of) numbers or to names of `.npy` and `.wav` files beside it.
 *
 * Files are taken by name; `limit` takes that many at most.
 * @throws NonzeroError naming the file and, in a `.jsonl`, the line.
 */
export function calibrationSamples(path: string, inputs: readonly Value[], limit = Number.POSITIVE_INFINITY): Feeds[] {
  if (!existsSync(path)) throw new NonzeroError("not-found", "there is no such file or folder", { file: path });
  const samples = statSync(path).isDirectory() ? fromFolder(path, inputs, limit) : fromLines(path, inputs, limit);
  if (samples.length === 0)
    throw new NonzeroError("not-found", "there are no samples (.npy, .wav, folders or .jsonl)", { file: path });
  return samples;
}

const isSample = (name: string): boolean => [".npy", ".wav"].includes(extname(name));

function fromFolder(path: string, inputs: readonly Value[], limit: number): Feeds[] {
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const folders = entries.filter((entry) => entry.isDirectory());
  const files = entries.filter((entry) => entry.isFile() && isSample(entry.name));
  if (files.length > 0) {
    if (inputs.length !== 1) {
      const names = inputs.map(({ name }) => `${name}.npy`).join(", ");
      throw new NonzeroError(
        "invalid-argument",
        `the model has ${inputs.length} inputs: a folder for each sample with ${names}`,
        { file: path },
      );
    }
    const [input] = inputs as [Value];
    return files.slice(0, limit).map(({ name }) => ({ [input.name]: fromFile(join(path, name), input) }));
  }
  return folders
    .slice(0, limit)
    .map(({ name }) =>
      Object.fromEntries(inputs.map((input) => [input.name, fromFile(join(path, name, `${input.name}.npy`), input)])),
    );
}

function fromLines(path: string, inputs: readonly Value[], limit: number): Feeds[] {
  const lines = readFileSync(path, "utf8").split("\n");
  return lines
    .flatMap((line, i) => (line.trim() === "" ? [] : [{ line, place: { file: `${path}:${i + 1}` } }]))
    .slice(0, limit)
    .map(({ line, place }) => locate(place, () => fromLine(line, inputs, dirname(path))));
}

function fromLine(line: string, inputs: readonly Value[], folder: string): Feeds {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw new NonzeroError("invalid-argument", `this is no JSON: ${(cause as Error).message}`);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new NonzeroError("invalid-argument", "expected an object from input names to values");
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      const input = inputs.find((one) => one.name === name);
      if (input === undefined) throw new NonzeroError("not-found", "the model has no such input", { field: name });
      return [name, typeof value === "string" ? fromFile(join(folder, value), input) : fromNumbers(value, input)];
    }),
  );
}

/** A file's tensor; samples of sound get the leading axes of 1 that the input has. */
function fromFile(file: string, { type }: Value): Tensor {
  if (extname(file) !== ".wav") return readNpy(file);
  const samples = readWav(file);
  const leading = Math.max(0, (type?.shape?.length ?? 2) - 1);
  return new Tensor("float32", [...new Array<number>(leading).fill(1), samples.length], samples);
}

function fromNumbers(value: unknown, { name, type }: Value): Tensor {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const numbers: number[] = [];
  const walk = (part: unknown, depth: number): void => {
    if (Array.isArray(part)) {
      if (part.length !== shape[depth])
        throw new NonzeroError("invalid-argument", "the lists are of different lengths", { field: name });
      for (const inner of part) walk(inner, depth + 1);
    } else if (depth === shape.length && (typeof part === "number" || typeof part === "boolean"))
      numbers.push(Number(part));
    else throw new NonzeroError("invalid-argument", `expected numbers, not ${JSON.stringify(part)}`, { field: name });
  };
  walk(value, 0);
  const dtype = type?.dtype ?? "float32";
  if (dtype === "string" || numbers.length !== sizeOf(shape))
    throw new NonzeroError("invalid-argument", `expected a tensor of ${dtype}`, { field: name });
  return Tensor.from(dtype, shape, numbers);
}
