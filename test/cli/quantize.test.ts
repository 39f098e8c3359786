import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readModelFile, writeModelFile } from "../../src/formats/onnx/node.js";
import { SparseTensor } from "../../src/layouts/index.js";
import { cli } from "../support/cli.js";
import { perceptron } from "../support/small-models.js";

const model = (name: string): string =>
  fileURLToPath(
    new URL(`../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/${name}.onnx`, import.meta.url),
  );
const folder = mkdtempSync(join(tmpdir(), "nonzero-quantize-"));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  readonly kind: string;
  readonly stored: string;
  readonly denseBytes: number;
  readonly bytes: number;
  readonly notes: readonly string[];
}

async function quantized(file: string, ...options: string[]) {
  const { code, stdout, stderr } = await cli("quantize", file, "-o", at("quantized.onnx"), ...options, "--json");
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as { bytesBefore: number; bytesAfter: number; weights: Row[] };
}

/** Bytes now over bytes as floats, of the weights that are stored so. */
function share(weights: readonly Row[], stored: string): number {
  const chosen = weights.filter((weight) => weight.stored === stored);
  expect(chosen.length).toBeGreaterThan(0);
  const sum = (key: "bytes" | "denseBytes"): number => chosen.reduce((total, weight) => total + weight[key], 0);
  return sum("bytes") / sum("denseBytes");
}

describe.skipIf(!existsSync(model("encoder_model")))("Moonshine tiny (needs @usefulsensors/moonshine-js)", () => {
  const ENCODER = model("encoder_model");

  test("int8 takes at most 0.27 of the float32 bytes, and its outputs point where the float32 model's do", async () => {
    const { weights, bytesBefore, bytesAfter } = await quantized(ENCODER);
    expect(weights.length).toBeGreaterThan(30);
    expect(share(weights, "int8")).toBeLessThanOrEqual(0.27);
    expect(bytesAfter / bytesBefore).toBeLessThanOrEqual(0.27);
    const sizes = ["--dim", "batch_size=1", "--dim", "num_samples=8000"];
    const { stdout } = await cli("compare", ENCODER, at("quantized.onnx"), ...sizes, "--threads", "1", "--json");
    const [output] = JSON.parse(stdout).outputs as [{ cosine: number }];
    expect(output.cosine).toBeGreaterThan(0.99);
  });

  test("int4 takes at most 0.17 of the bytes in groups of 32, without zero points less; convolutions keep 8 bits and say so; floats again", async () => {
    const small = (await quantized(ENCODER, "--scheme", "int4", "--asymmetric")).weights;
    expect(share(small, "int4")).toBeLessThanOrEqual(0.17);
    const { weights } = await quantized(ENCODER, "--scheme", "int4", "--group-size", "32", "--layers", "/layers.0/*");
    expect(share(weights, "int4")).toBeLessThan(share(small, "int4"));
    const { code } = await cli("dequantize", at("quantized.onnx"), "-o", at("floats.onnx"));
    expect(code).toBe(0);
    expect(statSync(at("floats.onnx")).size / statSync(ENCODER).size).toBeGreaterThan(0.99);
    for (const { kind, stored, notes } of small) {
      expect(stored).toBe(kind === "conv" ? "int8" : "int4");
      if (kind === "conv") expect(notes.join()).toMatch(/no operator with 4-bit weights/);
    }
  });

  test("a decoder's table in 4 bits", async () => {
    const { weights, bytesBefore, bytesAfter } = await quantized(
      model("decoder_model_merged"),
      ...["--scheme", "int4", "--embeddings"],
    );
    expect(weights.every(({ stored }) => stored === "int4")).toBe(true); // the vocabulary's table is half of the bytes
    expect(bytesAfter / bytesBefore).toBeLessThanOrEqual(0.17);
  });
});

describe("a small model", () => {
  const [DENSE, SPARSE] = [at("dense.onnx"), at("sparse.onnx")];
  beforeAll(async () => {
    await writeModelFile(DENSE, perceptron());
    expect((await cli("sparsify", DENSE, "-o", SPARSE, "-p", "2:4")).code).toBe(0);
  });

  test("sparsified, then quantized, stays sparse", async () => {
    for (const scheme of ["int8-weight-only", "int8-dynamic", "int4"]) {
      const { weights } = await quantized(SPARSE, "--scheme", scheme);
      expect(weights.map(({ stored }) => stored)).toEqual(["int8", "int8"]);
      const constants = [...readModelFile(at("quantized.onnx")).graph.constants.values()];
      const layouts = constants.flatMap((constant) => (constant instanceof SparseTensor ? constant.stored.layout : []));
      expect(layouts).toEqual(["semi-structured", "semi-structured"]);
    }
  });

  test("prints a table, and says what it cannot do", async () => {
    const { stdout } = await cli("quantize", DENSE, "-o", at("q.onnx"), "--skip", "fc2*");
    expect(stdout).toMatch(/\/fc1\/MatMul +16×32 +int8/);
    expect(stdout).not.toMatch(/fc2/);
    const refused = async (...options: string[]) => {
      const { code, stderr } = await cli("quantize", DENSE, "-o", at("q.onnx"), ...options);
      return `${code} ${stderr}`;
    };
    expect(await refused("--group-size", "64")).toMatch(/^2 .*--group-size: it is for int4, not for int8-weight-only/);
    expect(await refused("--scheme", "int3")).toMatch(/^2 /);
    expect(await refused("--layers", "nothing*")).toMatch(/^3 (.|\n)*matches 'nothing\*'/);
    expect((await cli("quantize", at("missing.onnx"), "-o", at("q.onnx"))).code).toBe(3);
    expect((await cli("dequantize", at("missing.onnx"), "-o", at("q.onnx"))).code).toBe(3);
    expect((await cli("quantize", "--help")).stdout).toMatch(/--scheme/);
  });
});
