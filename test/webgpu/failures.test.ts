import { afterEach, expect, it, vi } from "vitest";
import { installNodeGpu } from "../../src/backends/webgpu/gpu.node.js";
import { type Gpu, type Kernel, requestGpu, Session, setGpuFinder } from "../../src/backends/webgpu/index.js";
import { input, output, shader, wgsl } from "../../src/backends/webgpu/wgsl/index.js";
import { Executor } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder, type Model } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { Runner } from "../../src/runtime/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { describeGpu } from "../support/check-webgpu.js";
import { liveBuffers } from "../support/live-buffers.js";

afterEach(() => {
  vi.restoreAllMocks();
  installNodeGpu();
});

const modelOf = (graph: Graph) => ({ graph, opsets: new Map([["", 21]]) }) as unknown as Model;

/** Softmax and a sum on the GPU, TopK on the host, and products on the GPU: a run of several parts. */
function mixed(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", ["n", 8]);
  const soft = builder.add("Softmax", [builder.add("Add", [x, builder.constant(randomTensor([8], 1))])]);
  const [top] = builder.addMany("TopK", [soft, builder.constant(Tensor.from("int64", [1], [4]))], 2);
  builder.output(builder.add("Mul", [top!, builder.constant(randomTensor([4], 2))]));
  return builder.build();
}

const feed = (n: number) => randomTensor([n, 8], 3);

function expectClose(got: Tensor, wanted: Tensor): void {
  expect(got.shape).toEqual(wanted.shape);
  const [a, b] = [got.numbers(), wanted.numbers()];
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(1e-5);
}

/** A device of its own, what is left on it, and that a model runs once it is gone. */
async function onOwnGpu(body: (gpu: Gpu, live: ReadonlySet<GPUBuffer>) => Promise<void>): Promise<void> {
  const gpu = await requestGpu();
  const { live } = liveBuffers(gpu.device);
  await body(gpu, live);
  gpu.release();
  const runner = await Runner.create(modelOf(mixed()), { device: "webgpu" });
  const outputs = await runner.run({ x: feed(2) });
  expectClose(Object.values(outputs)[0]!, evaluateGraph(mixed(), [feed(2)], operators)[0]!);
  runner.release();
}

const lost = { name: "NonzeroError", code: "device", message: expect.stringContaining("lost: it was destroyed") };

/** Relu by a shader and a launch of the test's. */
function broken(text: string, offset = 0): Kernel {
  const code = shader({
    key: `broken/${text}`,
    workgroup: [1],
    bindings: { x: input("f32"), y: output("f32") },
    body: () => wgsl`${text}`,
  });
  return {
    name: "broken",
    match: (node) => (node.op === "Relu" ? {} : null),
    schedules: () => [null],
    lower(_, __, node, to) {
      const [x, y] = [to.buffer(node.inputs[0]!), to.buffer(node.outputs[0]!)];
      to.launch(code, { x: offset === 0 ? x : { buffer: x, offset, bytes: 16 }, y }, {}, [1]);
    },
    cost: () => ({ multiplyAdds: 0, bytes: 0 }),
  };
}

function relu(): Graph {
  const builder = new GraphBuilder();
  builder.output(builder.add("Relu", [builder.input("x", "float32", [64])], {}, { name: "rectify" }));
  return builder.build();
}

describeGpu("what goes wrong on a GPU", () => {
  it("is said when the device is destroyed between two parts of a run", () =>
    onOwnGpu(async (gpu, live) => {
      const session = new Session(gpu);
      const executor = new Executor(mixed(), session);
      await executor.run([feed(2)]);
      const { queue } = gpu.device;
      const submit = queue.submit.bind(queue);
      queue.submit = (buffers) => {
        submit(buffers);
        gpu.device.destroy();
        return undefined;
      };
      await expect(executor.run([feed(2)])).rejects.toMatchObject(lost);
      await expect(executor.run([feed(2)])).rejects.toMatchObject(lost);
      executor.release();
      await session.release();
      expect(live.size).toBe(0);
    }));

  it("is said when the device is lost while shaders are compiled", () =>
    onOwnGpu(async (gpu, live) => {
      const compile = gpu.device.createComputePipelineAsync.bind(gpu.device);
      gpu.device.createComputePipelineAsync = (descriptor) => {
        const pipeline = compile(descriptor);
        gpu.device.destroy();
        return pipeline;
      };
      const session = new Session(gpu);
      const executor = new Executor(mixed(), session);
      await expect(executor.run([feed(2)])).rejects.toMatchObject(lost);
      await session.inTurn(async () => {});
      expect(live.size).toBe(0);
    }));

  it("is said when there is no room, and the next plan that fits has its own", () =>
    onOwnGpu(async (gpu, live) => {
      const { device } = gpu;
      const session = new Session(gpu);
      const executor = new Executor(mixed(), session);
      const pop = vi.spyOn(device, "popErrorScope");
      pop.mockResolvedValueOnce(Object.assign(new Error("no 4 GiB more"), {}) as GPUError); // the innermost scope
      await expect(executor.run([feed(5)])).rejects.toMatchObject({
        code: "device",
        message: "placing a plan's memory: the GPU is out of memory: no 4 GiB more",
      });
      expect(live.size).toBe(0);
      pop.mockRestore();
      const [y] = await executor.run([feed(3)]);
      expectClose(y!, evaluateGraph(mixed(), [feed(3)], operators)[0]!);
      vi.spyOn(device, "popErrorScope").mockResolvedValueOnce(new Error("while running") as unknown as GPUError);
      await expect(executor.run([feed(3)])).rejects.toMatchObject({
        message: /the GPU is out of memory: while running/,
      });
      executor.release();
      await session.release();
      expect(live.size).toBe(0);
    }));

  it("is said when the host has no room for what it uploads", () =>
    onOwnGpu(async (gpu, live) => {
      const create = gpu.device.createBuffer;
      gpu.device.createBuffer = (descriptor) => {
        if (descriptor.mappedAtCreation) throw new RangeError("array buffer allocation failed");
        return create(descriptor);
      };
      const executor = new Executor(mixed(), new Session(gpu));
      const message = "placing a plan's memory: array buffer allocation failed";
      expect(() => executor.run([feed(2)])).toThrow(expect.objectContaining({ code: "device", message }));
      expect(live.size).toBe(0);
    }));

  it.each([
    [
      "a shader that does not compile",
      broken("y[0] = nothing;"),
      /the kernel 'broken.*' does not compile:.*unresolved/s,
    ],
    ["a launch that WebGPU does not allow", broken("y[0] = x[0];", 4), /making a plan: Offset \(4\)/],
  ])("is said of %s", (_, kernel, message) =>
    onOwnGpu(async (gpu, live) => {
      const executor = new Executor(relu(), new Session(gpu, undefined, [kernel]));
      const refused = { name: "NonzeroError", code: "device", message: expect.stringMatching(message) };
      await expect(executor.run([randomTensor([64], 1)])).rejects.toMatchObject(refused);
      expect(live.size).toBe(0);
    }),
  );

  it("on 'auto' runs on WebAssembly from then on: limits, and a lost device", async () => {
    const gpu = await requestGpu();
    const limits = new Proxy(gpu.device.limits, {
      get: (target, name) => (name === "maxStorageBufferBindingSize" ? 512 : Reflect.get(target, name, target)),
    });
    Object.defineProperty(gpu.device, "limits", { value: limits });
    const runner = await Runner.create(modelOf(mixed()), { device: "auto", gpuDevice: gpu.device, threads: 1 });
    const check = async (n: number) => {
      const [y] = Object.values(await runner.run({ x: feed(n) }));
      expectClose(y!, evaluateGraph(mixed(), [feed(n)], operators)[0]!);
    };
    await check(4);
    expect(runner.fallback).toBe(null);
    await check(40);
    expect(runner.fallback).toMatch(/node '.*', field '.*': .* the GPU's limit is 512/);
    expect(runner.describe({ x: feed(40) }).map(({ kernel }) => kernel)).toContain("softmax");
    const x = feed(50);
    const gpuBuffer = gpu.device.createBuffer({ size: x.byteLength, usage: 0x8c }); // STORAGE, COPY_SRC, COPY_DST
    gpu.device.queue.writeBuffer(gpuBuffer, 0, x.data as Float32Array<ArrayBuffer>);
    const [y] = Object.values(await runner.runLocated({ x: { dtype: x.dtype, shape: x.shape, gpuBuffer } }));
    expectClose(y as Tensor, evaluateGraph(mixed(), [x], operators)[0]!);
    await check(4);
    gpu.device.destroy();
    await check(4);
    expect(runner.fallback).toMatch(/the GPU is lost/);
    await check(3);
    runner.release();
    gpu.release();
  });
});

it.each([
  ["no adapter", async () => null],
  ["WebGPU gave no adapter: blocked", () => Promise.reject(new Error("blocked"))],
  [
    "the adapter gave no device: too many",
    async () => ({ features: new Set(), limits: {}, requestDevice: () => Promise.reject(new Error("too many")) }),
  ],
])("without a device, webgpu is refused and auto says why: %s", async (why, requestAdapter) => {
  setGpuFinder(async () => ({ requestAdapter }) as unknown as GPU);
  const refused = Runner.create(modelOf(mixed()), { device: "webgpu" });
  await expect(refused).rejects.toMatchObject({ code: "device", message: expect.stringContaining(why) });
  const runner = await Runner.create(modelOf(mixed()), { device: "auto", threads: 1 });
  expect(runner).toMatchObject({ device: "wasm", fallback: expect.stringContaining(why) });
  runner.release();
});

it("a host whose WebGPU does not start says so", async () => {
  setGpuFinder(() => Promise.reject(new Error("no such backend")));
  await expect(requestGpu()).rejects.toMatchObject({
    code: "device",
    message: "WebGPU does not start: no such backend",
  });
});
