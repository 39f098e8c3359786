import { afterEach, expect, it, vi } from "vitest";
import { installNodeGpu } from "../../src/backends/webgpu/gpu.node.js";
import { holdGpu, requestGpu, Session, setGpuFinder } from "../../src/backends/webgpu/index.js";
import { Executor } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder, type Model } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { Runner } from "../../src/runtime/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { describeGpu } from "../support/check-webgpu.js";

afterEach(() => {
  vi.restoreAllMocks();
  installNodeGpu();
});

/** softmax(x + w) · exp(-x), twice over: several launches, and a value that is read late. */
function chain(n: number, seed = 1): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", [n]);
  const w = builder.constant(randomTensor([n], seed));
  const small = builder.add("Exp", [builder.add("Neg", [x])]);
  let y = builder.add("Softmax", [builder.add("Add", [x, w])]);
  for (let i = 0; i < 2; i++) y = builder.add("Softmax", [builder.add("Mul", [y, small])]);
  builder.output(y);
  return builder.build();
}

/** Softmax, then an operator without a kernel on strings of its result's largest place, then more on the GPU. */
function withHostStep(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", [2, 6]);
  const soft = builder.add("Softmax", [x]);
  const sorted = builder.addMany("TopK", [soft, builder.constant(Tensor.from("int64", [1], [3]))], 2)[0]!;
  builder.output(builder.add("Add", [sorted, sorted]));
  builder.output(builder.add("Relu", [x]));
  return builder.build();
}

const close = (got: Tensor, wanted: Tensor): void => {
  expect(got.shape).toEqual(wanted.shape);
  const [a, b] = [got.numbers(), wanted.numbers()];
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(1e-5);
};
const modelOf = (graph: Graph) => ({ graph, opsets: new Map([["", 21]]) }) as unknown as Model;

describeGpu("sessions on WebGPU", () => {
  it("run again and again, at the same time, for several shapes, and give each what it asked for", async () => {
    const { gpu, release } = await holdGpu();
    const session = new Session(gpu);
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["n", 8]);
    builder.output(builder.add("Softmax", [builder.add("Sin", [x])]));
    const graph = builder.build();
    const executor = new Executor(graph, session);
    const feeds = [3, 40, 3, 1, 40, 2].map((n, i) => randomTensor([n, 8], i));
    const results = await Promise.all(feeds.map((feed) => executor.run([feed])));
    results.forEach(([got], i) => close(got!, evaluateGraph(graph, [feeds[i]!], operators)[0]!));
    executor.release();
    await expect(executor.run([feeds[0]!])).resolves.toHaveLength(1); // a new plan
    await session.release();
    release();
  });

  it("evaluate what has no kernel on the host, and say what that moves", async () => {
    const { gpu, release } = await holdGpu();
    const graph = withHostStep();
    const executor = new Executor(graph, new Session(gpu));
    const x = randomTensor([2, 6], 4);
    expect(executor.describe([x]).map(({ op, kernel, transferBytes }) => [op, kernel, transferBytes])).toEqual([
      ["Softmax", "softmax", undefined],
      ["TopK", "evaluation", 4 * 12 + 4 * 6],
      ["Add", "elementwise", undefined],
      ["Relu", "elementwise", undefined],
    ]);
    const wanted = evaluateGraph(graph, [x], operators);
    (await executor.run([x])).forEach((got, i) => close(got, wanted[i]!));
    const times = await executor.profile([x]);
    expect(times.map(({ op }) => op)).toEqual(["Softmax", "TopK", "Add", "Relu"]);
    expect(times.every(({ milliseconds }) => milliseconds > 0)).toBe(true);
    release();
  });

  it("fail, now and ever after, once the device is lost, and run on a new one", async () => {
    const gpu = await requestGpu();
    const executor = new Executor(chain(1000), new Session(gpu));
    const x = randomTensor([1000], 2);
    await executor.run([x]);
    const running = executor.run([x]);
    gpu.device.destroy();
    const lost = { name: "NonzeroError", code: "device", message: expect.stringContaining("lost") };
    await expect(running).rejects.toMatchObject(lost);
    await expect(executor.run([x])).rejects.toMatchObject(lost);
    expect(() => new Executor(chain(1000), new Session(gpu)).run([x])).toThrow(expect.objectContaining(lost));
    const first = await Runner.create(modelOf(chain(50)), { device: "webgpu" });
    const { gpu: shared, release } = await holdGpu();
    shared.device.destroy();
    await shared.device.lost;
    const second = await Runner.create(modelOf(chain(50)), { device: "webgpu" });
    await second.run({ x: randomTensor([50], 1) });
    for (const runner of [first, second]) runner.release();
    release();
  });

  it("say what does not fit: a buffer beyond the limits, memory that is not there", async () => {
    const gpu = await requestGpu();
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [1, 1]);
    const n = Math.floor(gpu.info.limits.maxStorageBufferBindingSize / 4) + 1024;
    const wide = builder.add("Expand", [x, builder.constant(Tensor.from("int64", [2], [1, n]))]);
    builder.output(builder.add("Softmax", [wide]));
    const executor = new Executor(builder.build(), new Session(gpu));
    expect(() => executor.run([randomTensor([1, 1], 1)])).toThrow(/the GPU's limit is \d+/);

    vi.spyOn(gpu.device, "popErrorScope").mockResolvedValueOnce(null).mockResolvedValueOnce(null);
    const memory = Object.assign(new Error("4 GiB more"), {});
    vi.mocked(gpu.device.popErrorScope)
      .mockReset()
      .mockResolvedValueOnce(memory as never)
      .mockResolvedValue(null);
    const small = new Executor(chain(10), new Session(gpu));
    await expect(small.run([randomTensor([10], 1)])).rejects.toMatchObject({
      code: "device",
      message: expect.stringContaining("out of memory: 4 GiB more"),
    });
    vi.restoreAllMocks();
    gpu.release();
  });

  it("run as a Runner on a device of the caller's, which stays", async () => {
    const gpu = await requestGpu();
    const runner = await Runner.create(modelOf(chain(20)), { device: "webgpu", gpuDevice: gpu.device });
    expect(runner).toMatchObject({ device: "webgpu", fallback: null });
    const { [runner.outputs[0]!.name]: y } = await runner.run({ x: randomTensor([20], 3) });
    close(y!, evaluateGraph(chain(20), [randomTensor([20], 3)], operators)[0]!);
    runner.release();
    const buffer = gpu.device.createBuffer({ size: 16, usage: 0x80 });
    expect(buffer.size).toBe(16);
    gpu.release();
  });
});

it("without WebGPU, or without an adapter, webgpu is refused and auto runs on WebAssembly, saying why", async () => {
  for (const [finder, why] of [
    [async () => null, "no WebGPU"],
    [async () => ({ requestAdapter: async () => null }) as unknown as GPU, "no adapter"],
  ] as const) {
    setGpuFinder(finder);
    const refused = Runner.create(modelOf(chain(10)), { device: "webgpu" });
    await expect(refused).rejects.toMatchObject({ code: "device", message: expect.stringContaining(why) });
    const runner = await Runner.create(modelOf(chain(10)), { device: "auto", threads: 1 });
    expect(runner).toMatchObject({ device: "wasm", fallback: expect.stringContaining(why) });
    const outputs = await runner.run({ x: randomTensor([10], 1) });
    expect(Object.keys(outputs)).toHaveLength(1);
    runner.release();
  }
});
