import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import { cli } from "../support/cli.js";
import { perceptron } from "../support/small-models.js";

vi.mock("../../src/backends/webgpu/gpu.node.js", async () => {
  const { setGpuFinder } = await import("../../src/backends/webgpu/index.js");
  return { installNodeGpu: () => setGpuFinder(async () => null) };
});

const folder = mkdtempSync(join(tmpdir(), "nonzero-no-gpu-"));
const MODEL = join(folder, "model.onnx");
beforeAll(() => writeModelFile(MODEL, perceptron()));
afterAll(() => rmSync(folder, { recursive: true }));

const timing = ["--repeat", "1", "--seconds", "0.01", "--threads", "1"];
const product = ["bench", "matmul", "--m", "8", "--k", "8", "--n", "8", "--pattern", "2:4", ...timing];
const commands = [["run", MODEL], ["compare", MODEL, MODEL], ["bench", MODEL, ...timing], product];

test.each(commands)("without a GPU, --device webgpu is an error that says what to do: %s %s", async (...args) => {
  const { code, stdout, stderr } = await cli(...args, "--device", "webgpu", "--json");
  expect(code).toBe(6);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "device", field: "--device" } });
  expect(stderr).toMatch(/^nonzero: (.*, )?--device: this host has no WebGPU \(.*(driver|npm install webgpu).*\)\n$/);
});

test.each(commands)("without a GPU, --device auto is wasm, and stderr says so: %s %s", async (...args) => {
  const { code, stdout, stderr } = await cli(...args, "--device", "auto", "--json");
  expect(code).toBe(0);
  expect(stderr.split("\n").filter((line) => line.startsWith("nonzero: "))).toEqual([
    expect.stringMatching(/^nonzero: this host has no WebGPU \(.*\)\. Running on wasm$/),
  ]);
  const result = JSON.parse(stdout) as { device?: string; results?: { device: string }[] };
  const devices = result.results?.map(({ device }) => device) ?? [result.device];
  expect(new Set(devices)).toEqual(new Set(["wasm"]));
});
