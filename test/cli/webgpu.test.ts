import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HeldGpu, holdGpu } from "../../src/backends/webgpu/index.js";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import { GraphBuilder, type Model } from "../../src/graph/index.js";
import { describeGpu } from "../support/check-webgpu.js";
import { cli } from "../support/cli.js";
import { modelOf, noise } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-cli-webgpu-"));
const at = (name: string): string => join(folder, name);
const MODEL = at("model.onnx");
const OTHER = at("other.onnx");

/** softmax(x · w), elementwise: SwiftShader compiles it in no time, and a matrix product in seconds. */
function weighted(seed: number): Model {
  const b = new GraphBuilder();
  const scaled = b.add("Mul", [b.input("x", "float32", ["n", 16]), b.constant(noise([16], seed), "w")]);
  const y = b.add("Softmax", [scaled]);
  y.type = { dtype: "float32", shape: ["n", 16] };
  b.output(y, "y");
  return modelOf(b.build());
}

beforeAll(async () => {
  await writeModelFile(MODEL, weighted(1));
  await writeModelFile(OTHER, weighted(2));
});
afterAll(() => rmSync(folder, { recursive: true }));

const json = async (...args: string[]) => {
  const { code, stdout, stderr } = await cli(...args, "--json");
  return { code, stderr, result: JSON.parse(stdout) };
};
/** WGSL's exp of x is within 3 + 2|x| units in the last place, |x| ≤ 8 here; a sum of 16 of them divides it. */
const TOLERANCE = (3 + 2 * 8 + 16 + 3) * 2 ** -23;

describeGpu("--device webgpu", () => {
  let held: HeldGpu;
  beforeAll(async () => {
    held = await holdGpu(); // so that commands share what is compiled
  });
  afterAll(() => held.release());

  test("run gives what WebAssembly gives", async () => {
    const { code, result } = await json("run", MODEL, "--dim", "n=3", "--device", "webgpu", "--plan");
    expect({ code, result }).toMatchObject({ code: 0, result: { model: MODEL, device: "webgpu", threads: 1 } });
    expect(result.plan.map(({ kernel }: { kernel: string }) => kernel)).not.toContain("evaluation");
    const { result: wasm } = await json("run", MODEL, "--dim", "n=3");
    expect(result.outputs[0]).toMatchObject({ name: "y", dtype: "float32", shape: [3, 16] });
    result.outputs[0].first.forEach((value: number, i: number) => {
      expect(Math.abs(value - wasm.outputs[0].first[i])).toBeLessThanOrEqual(TOLERANCE);
    });
    const { stdout } = await cli("run", MODEL, "--device", "auto");
    expect(stdout).toContain("first run on webgpu, kernels");
  });

  test("compare", async () => {
    const same = await json("compare", MODEL, MODEL, "--device", "webgpu", "--tolerance", "0");
    expect(same).toMatchObject({ code: 0, stderr: "", result: { device: "webgpu" } });
    const { code } = await cli("compare", MODEL, OTHER, "--device", "auto", "--tolerance", "1e-3");
    expect(code).toBe(1);
  });

  const timing = ["--repeat", "2", "--seconds", "0.01", "--threads", "1"];
  test("bench MODEL", async () => {
    const { code, result } = await json("bench", MODEL, "--device", "webgpu", "wasm", "auto", ...timing);
    expect(code).toBe(0);
    const devices = result.results.map(({ device }: { device: string }) => device);
    expect(devices).toEqual(["webgpu", "wasm"]); // auto is webgpu again
    for (const { samples_ms, dense_ratio } of result.results) {
      expect(samples_ms).toEqual([expect.any(Number), expect.any(Number)]);
      expect(dense_ratio).toBe(1);
    }
    expect(result.machine.gpu).toMatch(/./);
  });

  test("bench matmul", async () => {
    const shape = ["--m", "32", "--k", "48", "--n", "1", "--pattern", "2:4"];
    const { code, result } = await json("bench", "matmul", ...shape, "--device", "webgpu", ...timing);
    expect(code).toBe(0);
    expect(result.results).toEqual(
      ["dense", "2:4"].map((pattern) =>
        expect.objectContaining({ pattern, device: "webgpu", kept_gflops: expect.any(Number), share_of_peak: null }),
      ),
    );
    const { stdout } = await cli("bench", "matmul", ...shape, "--device", "webgpu", ...timing);
    expect(stdout).toMatch(/2:4 +semi-structured +float32 +webgpu {2}/);
  });
});
