import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { writeModel } from "../../formats/onnx/index.js";
import { GraphBuilder } from "../../graph/index.js";
import { applySparse } from "../../prune/index.js";
import { Runner } from "../../runtime/index.js";
import { installNode } from "../../runtime/node.js";
import { Tensor } from "../../tensor/index.js";
import type { Report } from "../bench/result.js";
import { addBench } from "./bench.js";

let out: string[];
beforeAll(installNode);
beforeEach(() => {
  out = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void out.push(text));
  vi.spyOn(console, "error").mockImplementation(() => {});
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

async function nonzero(...args: string[]): Promise<string> {
  const program = new Command("nonzero").exitOverride().configureOutput({ writeErr: () => {} });
  addBench(program);
  await program.parseAsync(args, { from: "user" });
  return out.join("\n");
}

const number = expect.any(Number);
const row = (fields: object) => ({
  threads: 1,
  device: "wasm",
  median_ms: number,
  samples_ms: [number, number],
  dense_ratio: number,
  ort_web_ratio: number,
  ort_node_ratio: number,
  ...fields,
});
const SHAPE = ["--m", "32", "--k", "48", "--n", "8", "--threads", "1", "--repeat", "2", "--seconds", "0.01"];

describe("bench matmul", () => {
  test("prints what its schema says", async () => {
    const patterns = ["--pattern", "2:4", "block:16x16@50%", "90%", "--dtype", "float16"];
    const report = JSON.parse(await nonzero("bench", "matmul", ...SHAPE, ...patterns, "--json")) as Report;
    const rates = { kept_gflops: number, share_of_peak: number };
    expect(report.results).toEqual([
      row({ pattern: "dense", layout: "dense", dtype: "float32", dense_ratio: 1, ...rates }),
      row({ pattern: "2:4", layout: "semi-structured", dtype: "float16", ...rates }),
      row({ pattern: "block:16x16@50%", layout: "bsr:16x16", dtype: "float16", ...rates }),
      row({ pattern: "90%", layout: expect.stringMatching(/csr|bitmask|coo/), dtype: "float16", ...rates }),
    ]);
    expect(report.rivals.map(({ name }) => name)).toEqual(["onnxruntime-web", "onnxruntime-node"]);
    expect(report.machine).toMatchObject({ processors: number, peak_gflops: number });
    for (const name of ["nonzero", "node", "onnxruntime-web", "onnxruntime-node"])
      expect(report.versions[name]).toMatch(/^\d+\.\d+\.\d+/);
    for (const { samples_ms, median_ms, kept_gflops } of report.results) {
      expect(median_ms).toBeCloseTo((samples_ms[0]! + samples_ms[1]!) / 2, 3);
      expect(kept_gflops).toBeGreaterThan(0);
    }
    // Kept work is counted by what the pattern keeps: half, half, a tenth.
    const [dense, half] = report.results as [Report["results"][0], Report["results"][0]];
    expect((half.kept_gflops! * half.median_ms) / (dense.kept_gflops! * dense.median_ms)).toBeCloseTo(0.5, 2);
  });

  test("times nothing where a product is wrong", async () => {
    const { ioBinding } = Runner.prototype;
    vi.spyOn(Runner.prototype, "ioBinding").mockImplementation(function (this: Runner, feeds) {
      const binding = ioBinding.call(this, feeds);
      const run = (): void => {
        binding.run();
        (binding.outputs.y!.data as Float32Array)[100]! += 0.1;
      };
      return { inputs: binding.inputs, outputs: binding.outputs, run, release: binding.release };
    });
    const { error } = JSON.parse(await nonzero("bench", "matmul", ...SHAPE, "--pattern", "2:4", "--json"));
    expect(error).toMatchObject({ code: "disagreement", reason: expect.stringContaining("row 12, column 4") });
    expect(process.exitCode).toBe(1);
  });

  test("prints a table", async () => {
    const text = await nonzero("bench", "matmul", ...SHAPE, "--pattern", "2:4");
    expect(text).toMatch(/2:4 +semi-structured +float32 +wasm ×1/);
    expect(text).toMatch(/onnxruntime-web/);
  });

  test.each([
    [["--m", "0", "--k", "4", "--n", "4", "--pattern", "2:4"], /whole number of at least 1/],
    [["--k", "4", "--n", "4", "--pattern", "2:4"], /--m/],
    [["--m", "100000", "--k", "100000", "--n", "4", "--pattern", "2:4"], /too large/],
    [["--m", "4", "--k", "4", "--n", "4", "--pattern", "4:2"], /./],
    [["--m", "4", "--k", "4", "--n", "4", "--pattern", "2:4", "--device", "gpu"], /choices/],
    [["--m", "4", "--k", "4", "--n", "4", "--pattern", "2:4", "--seconds", "-1"], /seconds/],
  ])("refuses %j", async (args, message) => {
    await expect(nonzero("bench", "matmul", ...args)).rejects.toThrow(message);
    expect(out).toEqual([]);
  });
});

describe("bench MODEL…", () => {
  const folder = mkdtempSync(join(tmpdir(), "nonzero-bench-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("times models in turn, a sparse one against itself dense", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["batch", 32]);
    const weight = Tensor.from(
      "float32",
      [32, 16],
      Float32Array.from({ length: 512 }, (_, i) => Math.sin(i * i)),
    );
    const y = b.add("MatMul", [x, b.constant(weight, "w")]);
    y.type = { dtype: "float32", shape: ["batch", 16] };
    b.output(y, "y");
    const model = { graph: b.build(), opsets: new Map([["", 21]]), irVersion: 10, producer: "", metadata: new Map() };
    const { model: sparse } = await applySparse(model, { pattern: "2:4" });
    const files = [model, sparse].map((one, i) => {
      const file = join(folder, `${i}.onnx`);
      writeFileSync(file, writeModel(one));
      return file;
    });
    const options = ["--dim", "batch=3", "--threads", "1", "--repeat", "2", "--seconds", "0.01", "--json"];
    const report = JSON.parse(await nonzero("bench", ...files, ...options)) as Report;
    const rates = { kept_gflops: null, share_of_peak: null };
    expect(report.results).toEqual([
      row({ model: files[0], pattern: "dense", layout: "dense", dtype: "float32", dense_ratio: 1, ...rates }),
      row({ model: files[1], pattern: "2:4", layout: "semi-structured", dtype: "float32", ...rates }),
    ]);
    expect(report.rivals.length).toBe(4);
  });
});
