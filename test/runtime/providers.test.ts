import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { installNodeGpu } from "../../src/backends/webgpu/gpu.node.js";
import { setGpuFinder } from "../../src/backends/webgpu/index.js";
import { writeModel } from "../../src/formats/onnx/index.js";
import { env, InferenceSession, type SessionOptions, Tensor } from "../../src/node.js";
import { noise, perceptron } from "../support/small-models.js";

const bytes = writeModel(perceptron());
const x = new Tensor("float32", noise([3, 16], 7).data as Float32Array, [3, 16]);

beforeEach(() => setGpuFinder(async () => null));
afterEach(() => void vi.restoreAllMocks());
afterAll(() => installNodeGpu());

const create = (options: SessionOptions): Promise<InferenceSession> =>
  InferenceSession.create(bytes, { intraOpNumThreads: 1, ...options });

test.each<[string, NonNullable<SessionOptions["executionProviders"]>]>([
  ["webgpu, then wasm", ["webgpu", "wasm"]],
  ["webgpu with options, then cpu", [{ name: "webgpu", preferredLayout: "NHWC" }, { name: "cpu" }]],
  ["webgpu, what there is not here, then ours", ["webgpu", "webnn", "nonzero"]],
  ["ours on auto", [{ name: "nonzero", device: "auto" }]],
])("without a GPU a session falls back, and says so once: %s", async (_, executionProviders) => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const session = await create({ executionProviders, preferredOutputLocation: "gpu-buffer" });
  expect(warn.mock.calls).toEqual([[expect.stringMatching(/WebGPU is passed over.*no WebGPU/)]]);
  const { y } = await session.run({ x });
  expect([y!.location, ...y!.dims]).toEqual(["cpu", 3, 8]);
  await session.release();
});

test("those who want errors only hear nothing", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const executionProviders = ["webgpu", "wasm"];
  await (await create({ executionProviders, logSeverityLevel: 3 })).release();
  const level = env.logLevel;
  env.logLevel = "error";
  await (await create({ executionProviders })).release();
  env.logLevel = level!;
  expect(warn).not.toHaveBeenCalled();
});

test("with nothing to fall back to it is an error", async () => {
  for (const executionProviders of [["webgpu"], ["webnn", "webgpu"]])
    await expect(create({ executionProviders })).rejects.toMatchObject({ name: "NonzeroError", code: "device" });
});

test("wasm is the default, and what comes first is taken", async () => {
  const find = vi.fn(async () => null);
  setGpuFinder(find);
  for (const executionProviders of [undefined, [], ["wasm", "webgpu"], ["cpu"], ["webnn"]])
    await (await create(executionProviders === undefined ? {} : { executionProviders })).release();
  expect(find).not.toHaveBeenCalled();
});
