import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calibrationSamples } from "../../src/cli/calibration-data.js";
import { writeNpy } from "../../src/cli/npy.js";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import { Value } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { cli } from "../support/cli.js";
import { noise, perceptron } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-calibrate-"));
const at = (...parts: string[]): string => join(folder, ...parts);
const input = (name: string, dtype: "float32" | "int64", shape: (number | string)[]): Value =>
  new Value(name, { dtype, shape });

/** A mono WAV file; `encoding` 1 is integers, 3 floats. */
function wav(encoding: number, bits: number, data: Buffer, channels = 1): Buffer {
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(encoding, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(16000, 24);
  header.writeUInt16LE(bits, 34);
  header.write("data", 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

beforeAll(async () => {
  await writeModelFile(at("model.onnx"), perceptron());
  for (const name of ["arrays", "sounds", "sets", "empty"]) mkdirSync(at(name));
  for (let i = 0; i < 4; i++) writeNpy(at("arrays", `${i}.npy`), noise([8, 16], 10 + i));
  writeFileSync(at("sounds", "a.wav"), wav(1, 16, Buffer.from(Int16Array.of(0, 16384, -32768).buffer)));
  writeFileSync(at("sounds", "b.wav"), wav(3, 32, Buffer.from(Float32Array.of(0.25, -1).buffer)));
  mkdirSync(at("sets", "one"));
  writeNpy(at("sets", "one", "x.npy"), noise([1, 2], 1));
  writeNpy(at("sets", "one", "ids.npy"), Tensor.from("int64", [2], [3, 4]));
  writeFileSync(at("lines.jsonl"), '{"x": [[1, 2.5]], "ids": [3, 4]}\n\n{"x": "sets/one/x.npy", "ids": [5]}\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("calibration samples", () => {
  const both = [input("x", "float32", [1, 2]), input("ids", "int64", ["n"])];

  test("are the sounds of a folder, with the axes that the input has", () => {
    const [a, b] = calibrationSamples(at("sounds"), [input("audio", "float32", [1, "n"])]);
    expect([a!.audio!.shape, [...a!.audio!.numbers()]]).toEqual([
      [1, 3],
      [0, 0.5, -1],
    ]);
    expect([b!.audio!.shape, [...b!.audio!.numbers()]]).toEqual([
      [1, 2],
      [0.25, -1],
    ]);
  });

  test("are folders with a file for every input", () => {
    const [sample] = calibrationSamples(at("sets"), both);
    expect([...sample!.ids!.numbers()]).toEqual([3, 4]);
    expect(sample!.x!.shape).toEqual([1, 2]);
  });

  test("are lines of JSON: numbers in the input's dtype, or files beside it", () => {
    const [first, second, ...none] = calibrationSamples(at("lines.jsonl"), both);
    expect(none).toEqual([]);
    expect([first!.x!.dtype, first!.x!.shape, [...first!.x!.numbers()]]).toEqual(["float32", [1, 2], [1, 2.5]]);
    expect([first!.ids!.dtype, [...first!.ids!.numbers()]]).toEqual(["int64", [3, 4]]);
    expect(second!.x!.shape).toEqual([1, 2]);
  });

  test("are as many as asked for", () => {
    expect(calibrationSamples(at("arrays"), [input("x", "float32", [8, 16])], 3)).toHaveLength(3);
  });

  test.each([
    ["nowhere", "nowhere", both, /nowhere: there is no such/],
    ["an empty folder", "empty", both, /no samples/],
    ["files for a model of several inputs", "arrays", both, /2 inputs: a folder for each sample with x.npy, ids.npy/],
    ["a folder that lacks an input", "sets", [...both, input("z", "float32", [1])], /z\.npy/],
  ])("are refused: %s", (_, path, inputs, message) => {
    expect(() => calibrationSamples(at(path), inputs)).toThrow(message);
  });

  test.each([
    ["no JSON", "{", /:1: this is no JSON/],
    ["no object", "[1]", /expected an object/],
    ["ragged lists", '{"x": [[1, 2], [3]]}', /field 'x'.*different lengths/],
    ["texts in lists", '{"x": [["a"]]}', /field 'x'.*expected numbers/],
    ["another input", '{"y": 1}', /field 'y'.*no such input/],
  ])("are refused: %s", (_, line, message) => {
    writeFileSync(at("bad.jsonl"), line);
    expect(() => calibrationSamples(at("bad.jsonl"), both)).toThrow(message);
  });

  test.each([
    ["stereo", wav(1, 16, Buffer.alloc(8), 2), /2 channels/],
    ["24 bits", wav(1, 24, Buffer.alloc(6)), /encoding 1 with 24 bits/],
    ["something else", Buffer.from("no sound"), /no WAV file/],
  ])("are refused: a WAV file of %s", (_, bytes, message) => {
    mkdirSync(at("bad"), { recursive: true });
    writeFileSync(at("bad", "a.wav"), bytes);
    expect(() => calibrationSamples(at("bad"), [input("a", "float32", [1, "n"])])).toThrow(message);
  });
});

describe("nonzero sparsify --method", () => {
  const sparsify = (...args: string[]) =>
    cli("sparsify", at("model.onnx"), "-o", at("out.onnx"), "--pattern", "2:4", "--json", ...args);

  test("prunes by what the samples show, and tells each layer's error", async () => {
    const errors: Record<string, number> = {};
    for (const method of ["wanda", "sparsegpt"]) {
      const { code, stdout, stderr } = await sparsify("--method", method, "--calibrate", at("arrays"), "--dense");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const report = JSON.parse(stdout);
      expect(report.method).toBe(method);
      const [first] = report.weights;
      expect(first.pattern).toBe("2:4");
      expect(first.sparsity).toBeCloseTo(0.5, 6);
      if (first.error !== null) errors[method] = first.error;
      const gauge = [
        "eval",
        "fidelity",
        at("out.onnx"),
        "--reference",
        at("model.onnx"),
        "--samples",
        at("arrays"),
        "--json",
      ];
      const judged = JSON.parse((await cli(...gauge)).stdout);
      expect(judged.outputs[0].cosine).toBeGreaterThan(0.5);
      expect(judged.outputs[0].relativeError).toBeGreaterThan(0);
    }
    expect(errors.sparsegpt).toBeGreaterThan(0);
  });

  test.each([
    ["without samples", ["--method", "wanda"], 2, /--calibrate.*needs samples/],
    ["an unknown method", ["--method", "guess"], 2, /Allowed choices are magnitude, wanda/],
    ["an option that is none", ["--method", "sparsegpt", "--method-option", "speed=3"], 2, /it has blockSize, damping/],
    ["an option of no value", ["--method", "sparsegpt", "--method-option", "damping"], 2, /not NAME=VALUE/],
    ["an option that is no number", ["--method", "sparsegpt", "--method-option", "damping=a"], 2, /'a' is no number/],
    [
      "an option out of range",
      ["--method", "sparsegpt", "--method-option", "damping=-1", "--calibrate", at("arrays")],
      2,
      /damping/,
    ],
    ["samples that are not there", ["--method", "wanda", "--calibrate", "/nowhere"], 3, /no such file/],
  ])("refuses %s", async (_, args, code, message) => {
    const outcome = await sparsify(...args);
    expect(outcome.code).toBe(code);
    expect(outcome.stdout + outcome.stderr).toMatch(message);
  });
});

describe("nonzero eval and samples", () => {
  test.each([
    [["eval", "chess", "model.onnx"], 2, /no task 'chess'; there are speech/],
    [["eval", "fidelity", "model.onnx"], 2, /--reference/],
    [["samples", "chess", "model.onnx", "-o", "x"], 2, /no task 'chess'/],
    [["samples", "speech", "model.onnx", "-o", folder], 2, /there already/],
  ])("%j is refused", async (args, code, message) => {
    const outcome = await cli(...args);
    expect(outcome.code).toBe(code);
    expect(outcome.stderr).toMatch(message);
  });
});
