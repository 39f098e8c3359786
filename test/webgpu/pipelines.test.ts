import { afterEach, expect, it, vi } from "vitest";
import { Gpu, holdGpu, requestGpu, Session, type ShaderCode } from "../../src/backends/webgpu/index.js";
import { compilerOf, PipelineCache } from "../../src/backends/webgpu/pipelines.js";
import { output, shader, wgsl } from "../../src/backends/webgpu/wgsl/index.js";
import { Executor } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder, type Model } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { Runner } from "../../src/runtime/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { randomTensor } from "../support/check-kernel.js";
import { describeGpu } from "../support/check-webgpu.js";
import { testGpu } from "../support/webgpu.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A Gpu with nothing compiled yet, on the device of all tests. */
async function freshGpu(): Promise<Gpu> {
  const gpu = (await testGpu()) as Gpu;
  return Object.assign(new Gpu(gpu.device, false), { info: gpu.info });
}

/** Three shaders, of which one is wanted twice. */
function graph(): Graph {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", ["n", 6]);
  const soft = builder.add("Softmax", [builder.add("Transpose", [builder.add("Softmax", [x])], { perm: [1, 0] })]);
  builder.output(builder.add("CumSum", [soft, builder.constant(Tensor.from("int32", [], [0]))]));
  return builder.build();
}

/** Holds the compiler up; `open` lets it go on. What it was asked for is in `labels`. */
function gate(device: GPUDevice) {
  const labels: string[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const compile = device.createComputePipelineAsync.bind(device);
  vi.spyOn(device, "createComputePipelineAsync").mockImplementation(async (descriptor) => {
    labels.push(descriptor.label!);
    await opened;
    return compile(descriptor);
  });
  return { labels, open };
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 20));

const codes = (count: number): ShaderCode[] =>
  Array.from({ length: count }, (_, i) =>
    shader({ key: `code-${i}`, workgroup: [1], bindings: { y: output("u32") }, body: () => wgsl`y[0] = ${i}u;` }),
  );

describeGpu("pipelines", () => {
  it("are compiled side by side, each once for all plans and sessions, and counted", async () => {
    const gpu = await freshGpu();
    const { labels, open } = gate(gpu.device);
    const seen: string[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }) => void seen.push(`${done}/${total}`);
    const session = new Session(gpu, undefined, undefined, undefined, { onProgress });
    const executor = new Executor(graph(), session);
    const running = executor.run([randomTensor([4, 6], 1)]);
    await turns();
    expect(new Set(labels).size).toBe(3); // all at the compiler, none of them done
    open();
    await running;
    expect(seen).toEqual(["0/3", "1/3", "2/3", "3/3"]);
    await executor.run([randomTensor([9, 6], 1)]);
    await new Executor(graph(), new Session(gpu)).run([randomTensor([4, 6], 1)]);
    expect(labels).toHaveLength(3);
    expect(seen).toHaveLength(4);
  });

  it("are no longer compiled once a signal is aborted; what waits fails at once, what others wait for does not", async () => {
    const gpu = await freshGpu();
    const { labels, open } = gate(gpu.device);
    const controller = new AbortController();
    const seen: number[] = [];
    const stopped = compilerOf(gpu, { signal: controller.signal, onProgress: ({ done }) => void seen.push(done) });
    const waiting = stopped(codes(40));
    await turns();
    const others = compilerOf(gpu, {})(codes(3));
    controller.abort(new Error("the page was left"));
    await expect(waiting).rejects.toMatchObject({
      name: "NonzeroError",
      code: "aborted",
      cause: controller.signal.reason,
    });
    open();
    expect([...(await others).keys()]).toEqual(["code-0", "code-1", "code-2"]);
    await turns();
    expect(labels.length).toBeLessThan(40);
    expect(new Set(labels).size).toBe(labels.length);
    expect(seen).toEqual([0]);
    await expect(stopped(codes(2))).resolves.toHaveProperty("size", 2); // these are there
  });

  it("that fail are said by name, stop the others, and are tried again", async () => {
    const gpu = await freshGpu();
    const bad = shader({ key: "bad", workgroup: [1], bindings: { y: output("u32") }, body: () => wgsl`y[0] = 1.5;` });
    const seen: string[] = [];
    const compile = compilerOf(gpu, { onProgress: ({ done, total }) => void seen.push(`${done}/${total}`) });
    const refused = { code: "device", message: expect.stringContaining("the kernel 'bad' does not compile") };
    await expect(compile([bad])).rejects.toMatchObject(refused);
    expect(gpu.pipelines.has(bad)).toBe(false);
    await compile(codes(1));
    expect(seen).toEqual(["0/1", "0/1", "1/1"]);
  });

  it("are shared by all who bring the same device", async () => {
    const { device } = (await testGpu()) as Gpu;
    const [one, other] = await Promise.all([holdGpu({ device }), holdGpu({ device })]);
    expect(one.gpu).toBe(other.gpu);
    for (const held of [one, other]) held.release();
    await device.queue.onSubmittedWorkDone(); // it was not destroyed
  });

  it("take uniforms from immediates where there are any, and from a buffer else", async () => {
    const { info, device } = await freshGpu();
    const feeds = [randomTensor([4, 6], 1)];
    const wanted = evaluateGraph(graph(), feeds, operators)[0]!.numbers();
    for (const maxImmediateSize of new Set([info.limits.maxImmediateSize, 0])) {
      const gpu = Object.assign(new Gpu(device, false), {
        info: { ...info, limits: { ...info.limits, maxImmediateSize } },
      });
      const create = vi.spyOn(device, "createBuffer");
      const [y] = await new Executor(graph(), new Session(gpu)).run(feeds);
      const uniform = create.mock.calls.filter(([{ usage }]) => (usage & 0x40) !== 0);
      expect(uniform).toHaveLength(maxImmediateSize === 0 ? 1 : 0);
      y!.numbers().forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 5));
      create.mockRestore();
    }
  });

  it("are timed by the GPU's clock where it has one, and by the host's else", async () => {
    const { info, device } = await freshGpu();
    for (const timestamps of new Set([info.timestamps, false])) {
      const gpu = Object.assign(new Gpu(device, false), { info: { ...info, timestamps } });
      const queries = vi.spyOn(device, "createQuerySet");
      const times = await new Executor(graph(), new Session(gpu)).profile([randomTensor([4, 6], 1)]);
      expect(queries).toHaveBeenCalledTimes(timestamps ? 1 : 0);
      expect(times.map(({ op }) => op)).toEqual(["Softmax", "Transpose", "Softmax", "CumSum"]);
      expect(times.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeGreaterThan(0);
      queries.mockRestore();
    }
  });

  it("of a Runner are heard of, and stopped", async () => {
    const gpu = await requestGpu();
    const modelOf = (graph: Graph) => ({ graph, opsets: new Map([["", 21]]) }) as unknown as Model;
    const builder = new GraphBuilder();
    builder.output(builder.add("Exp", [builder.input("x", "float32", [4, 6])]));
    const seen: number[] = [];
    const compiling = { onProgress: ({ total }: { total: number }) => void seen.push(total) };
    const runner = await Runner.create(modelOf(graph()), { device: "webgpu", gpuDevice: gpu.device, compiling });
    runner.describe({ x: randomTensor([4, 6], 1) }); // makes the plan
    await runner.run({ x: randomTensor([4, 6], 1) });
    expect(seen).toEqual([3, 3, 3, 3]);
    runner.release();
    const signal = AbortSignal.abort();
    const stopped = await Runner.create(modelOf(builder.build()), {
      device: "auto",
      gpuDevice: gpu.device,
      compiling: { signal },
    });
    await expect(stopped.run({ x: randomTensor([4, 6], 1) })).rejects.toMatchObject({ code: "aborted" });
    expect(stopped.fallback).toBe(null);
    stopped.release();
    gpu.release();
  });
});

it("are kept in bounded number, those used last", async () => {
  let compiled = 0;
  const device = {
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBindGroupLayout: () => ({}),
    createShaderModule: () => ({}),
    createPipelineLayout: () => ({}),
    createComputePipelineAsync: async () => ({ number: compiled++ }),
  } as unknown as GPUDevice;
  const info = { limits: { maxImmediateSize: 0 } } as Gpu["info"];
  const cache = new PipelineCache({ device, info, explain: async (cause) => cause as never });
  const [first, second, ...rest] = codes(1025) as [ShaderCode, ShaderCode, ...ShaderCode[]];
  const last = rest.pop()!;
  for (const code of [first, second, ...rest]) await cache.get(code);
  await cache.get(first);
  await cache.get(last);
  expect([first, second, last].map((code) => cache.has(code))).toEqual([true, false, true]);
  expect(compiled).toBe(1025);
});
