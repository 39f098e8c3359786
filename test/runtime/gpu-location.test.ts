import { createRequire } from "node:module";
import type * as common from "onnxruntime-common";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type Gpu, type GpuTensor, requestGpu } from "../../src/backends/webgpu/index.js";
import { writeModel } from "../../src/formats/onnx/index.js";
import { GraphBuilder, type Model } from "../../src/graph/index.js";
import { env, InferenceSession, nonzeroBackend, Tensor } from "../../src/node.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { type OwnedGpuTensor, Runner } from "../../src/runtime/index.js";
import { type DataType, Tensor as HostTensor } from "../../src/tensor/index.js";
import { describeGpu } from "../support/check-webgpu.js";
import { modelOf, noise } from "../support/small-models.js";

const [MAP_READ, COPY_SRC, COPY_DST, STORAGE] = [0x1, 0x4, 0x8, 0x80];

type Output = readonly [name: string, value: ReturnType<GraphBuilder["add"]>, shape: readonly (number | string)[]];

function modelWith(b: GraphBuilder, outputs: readonly Output[], dtype: DataType = "float32"): Model {
  for (const [name, value, shape] of outputs) {
    value.type = { dtype, shape: [...shape] };
    b.output(value, name);
  }
  return modelOf(b.build());
}

/** A step of a loop with a cache: present = [past; x], y = the sums of its columns. */
function step(): Model {
  const b = new GraphBuilder();
  const present = b.add("Concat", [b.input("past", "float32", ["n", 4]), b.input("x", "float32", [1, 4])], { axis: 0 });
  const axes = b.constant(HostTensor.from("int64", [1], [0]));
  const y = b.add("ReduceSum", [present, axes], { keepdims: 0 });
  return modelWith(b, [
    ["present", present, ["m", 4]],
    ["y", y, [4]],
  ]);
}

/** Outputs of every origin: a kernel, another shape of the same, an input, another shape of it, a constant, an evaluation on the host. */
function origins(): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", 3]);
  const made = b.add("Exp", [x]);
  const flat = (): ReturnType<GraphBuilder["add"]> => b.constant(HostTensor.from("int64", [1], [-1]));
  return modelWith(b, [
    ["made", made, ["n", 3]],
    ["reshaped", b.add("Reshape", [made, flat()]), ["m"]],
    ["again", b.add("Identity", [made]), ["n", 3]],
    ["input", b.add("Identity", [x]), ["n", 3]],
    ["inputFlat", b.add("Reshape", [x, flat()]), ["m"]],
    ["constant", b.add("Identity", [b.constant(noise([5], 5))]), [5]],
    ["top", b.addMany("TopK", [x, b.constant(HostTensor.from("int64", [1], [1]))], 2)[0]!, ["n", 1]],
  ]);
}

const evaluate = (model: Model, ...feeds: readonly HostTensor[]): Record<string, HostTensor> => {
  const results = evaluateGraph(model.graph, feeds, operators);
  return Object.fromEntries(model.graph.outputs.map(({ name }, i) => [name, results[i]!]));
};

function expectClose(actual: ArrayLike<number>, wanted: HostTensor): void {
  const values = wanted.numbers();
  expect(actual.length).toBe(values.length);
  // Sums of at most 8 numbers below 1, and WGSL's exp of such: 3 + 2|x| units in the last place.
  values.forEach((value: number, i: number) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(8 * 2 ** -23 * Math.max(1, Math.abs(value)));
  });
}

const toOrt = ({ dtype, data, shape }: HostTensor): Tensor =>
  new Tensor(dtype as "float32", data as Float32Array, shape);
const floats = async (tensor: common.Tensor): Promise<Float32Array> => (await tensor.getData()) as Float32Array;

afterEach(() => vi.restoreAllMocks());

describeGpu("tensors on the GPU", () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await requestGpu();
  });
  afterAll(() => gpu.release());

  const bufferOf = (tensor: HostTensor, usage = STORAGE, size = 16 * Math.ceil(tensor.byteLength / 16)): GPUBuffer => {
    const buffer = gpu.device.createBuffer({ size, usage, mappedAtCreation: true });
    new Uint8Array(buffer.getMappedRange()).set(tensor.bytes().subarray(0, size));
    buffer.unmap();
    return buffer;
  };
  const onGpu = (tensor: HostTensor, usage?: number, size?: number): GpuTensor => ({
    dtype: tensor.dtype,
    shape: tensor.shape,
    gpuBuffer: bufferOf(tensor, usage, size),
  });
  const runnerOf = (
    model: Model,
    preferredOutputLocation: "cpu" | "gpu-buffer" = "cpu",
  ): Promise<Runner<Promise<HostTensor[]>>> =>
    Runner.create(model, { device: "webgpu", gpuDevice: gpu.device, preferredOutputLocation }) as never;

  test("a loop's outputs are its next inputs, and nothing of them passes through the host", async () => {
    env.webgpu.device = gpu.device;
    const session = await InferenceSession.create(writeModel(step()), {
      executionProviders: ["webgpu"],
      preferredOutputLocation: { present: "gpu-buffer", other: "gpu-buffer" },
    });
    const made = vi.spyOn(gpu.device, "createBuffer");
    const written = vi.spyOn(gpu.device.queue, "writeBuffer");
    let wanted = noise([2, 4], 1);
    let past: common.Tensor = toOrt(wanted);
    const kept: [common.Tensor, HostTensor][] = [];
    for (let i = 0; i < 4; i++) {
      const x = noise([1, 4], 10 + i);
      const expected = evaluate(step(), wanted, x);
      const { present, y } = await session.run({ past, x: toOrt(x) });
      expect([present!.location, y!.location]).toEqual(["gpu-buffer", "cpu"]);
      expect(present!.dims).toEqual([3 + i, 4]);
      expect(() => present!.data).toThrow("not on CPU");
      expectClose(y!.data as Float32Array, expected.y!);
      [past, wanted] = [present!, expected.present!];
      kept.push([present!, wanted]);
    }
    const reads = made.mock.calls.filter(([{ usage }]) => usage & MAP_READ).map(([{ size }]) => size);
    expect(reads.every((size) => size === 16)).toBe(true); // y alone
    const uploads = written.mock.calls.map(([, , data]) => (data as Uint8Array).byteLength);
    expect(uploads.filter((size) => size >= 48)).toEqual([]); // the second past has 3 rows
    for (const [present, values] of kept) expectClose(await floats(present), values); // no later run wrote to them
    for (const [present] of kept) present.dispose();
    await session.release();
    env.webgpu.device = undefined as never;
  });

  test.each(["fed from the host", "fed on the GPU"])("outputs of every origin stay on the GPU, %s", async (how) => {
    const x = noise([3, 3], 2);
    const wanted = evaluate(origins(), x);
    const runner = await runnerOf(origins(), "gpu-buffer");
    const feed = how === "fed on the GPU" ? onGpu(x, STORAGE | COPY_SRC) : x;
    for (let again = 0; again < 2; again++) {
      const outputs = (await runner.runLocated({ x: feed })) as Record<string, OwnedGpuTensor>;
      expect(Object.keys(outputs)).toEqual(Object.keys(wanted));
      const buffers = Object.values(outputs).map(({ gpuBuffer }) => gpuBuffer);
      expect(new Set(buffers).size).toBe(buffers.length); // each can be disposed of by itself
      for (const [name, tensor] of Object.entries(wanted)) {
        expect(outputs[name]!.shape).toEqual(tensor.shape);
        expectClose((await outputs[name]!.download()).data as Float32Array, tensor);
        outputs[name]!.dispose();
        outputs[name]!.dispose();
        await expect(outputs[name]!.download()).rejects.toThrow("disposed");
      }
    }
    const host = await runner.run({ x }); // and `run` brings all of them
    for (const [name, tensor] of Object.entries(wanted)) expectClose(host[name]!.data as Float32Array, tensor);
    runner.release();
  });

  test("feeds on the GPU, outputs on the host", async () => {
    const x = noise([2, 3], 3);
    const wanted = evaluate(origins(), x);
    const runner = await runnerOf(origins());
    const aligned = await runner.runLocated({ x: onGpu(x, STORAGE | COPY_SRC) });
    const short = await runner.runLocated({ x: onGpu(x, STORAGE | COPY_SRC, 24) }); // does not reach to 32 bytes
    for (const outputs of [aligned, short])
      for (const [name, tensor] of Object.entries(wanted))
        expectClose((outputs[name] as HostTensor).data as Float32Array, tensor);
    expect(runner.describe({ x: onGpu(x) }).find(({ op }) => op === "TopK")).toMatchObject({
      kernel: "evaluation",
      transferBytes: 24, // its input
    });
    runner.release();
  });

  test("fetches: buffers of the caller's are filled, even the one that is read", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [4]);
    const model = modelWith(b, [["y", b.add("Add", [x, x]), [4]]]);
    const values = noise([4], 4);
    const session = await InferenceSession.create(writeModel(model), {
      executionProviders: [{ name: "webgpu", device: gpu.device }],
      preferredOutputLocation: "gpu-buffer",
    });
    const state = Tensor.fromGpuBuffer(bufferOf(values, STORAGE | COPY_SRC | COPY_DST) as never, {
      dataType: "float32",
      dims: [4],
    });
    for (let i = 0; i < 3; i++) expect((await session.run({ x: state }, { y: state })).y).toBe(state);
    const host = new Tensor("float32", new Float32Array(4), [4]);
    await session.run({ x: state }, { y: host });
    expect([...(host.data as Float32Array)]).toEqual([...values.numbers()].map((value) => 16 * value));
    const narrow = Tensor.fromGpuBuffer(bufferOf(noise([2], 1), STORAGE | COPY_DST, 8) as never, {
      dataType: "float32",
      dims: [4],
    });
    await expect(session.run({ x: state }, { y: narrow })).rejects.toMatchObject({
      code: "shape",
      place: { field: "y" },
    });
    const readOnly = Tensor.fromGpuBuffer(bufferOf(values) as never, { dataType: "float32", dims: [4] });
    await expect(session.run({ x: state }, { y: readOnly })).rejects.toThrow(/field 'y'.*COPY_DST/);
    await session.release();
  });

  test("values that a shape depends on, and what follows a shape that depends on data", async () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    const reshaped = b.add("Reshape", [x, b.input("shape", "int64", [2])]);
    const found = b.add("NonZero", [b.add("Relu", [x])]);
    const model = modelWith(b, [
      ["y", b.add("Neg", [reshaped]), ["a", "b"]],
      ["z", b.add("Add", [b.add("Cast", [found], { to: 1 }), b.add("ReduceMax", [x], { keepdims: 0 })]), [1, "k"]],
      ["x2", b.add("Identity", [x]), ["n"]],
    ]);
    const runner = await runnerOf(model, "gpu-buffer");
    for (const shape of [
      [2, 3],
      [3, 2],
    ]) {
      const feeds = [noise([6], 6), HostTensor.from("int64", [2], shape)] as const;
      const wanted = evaluate(model, ...feeds);
      const [values, dims] = feeds.map((feed) => onGpu(feed, STORAGE | COPY_SRC));
      const outputs = (await runner.runLocated({ x: values!, shape: dims! })) as Record<string, OwnedGpuTensor>;
      for (const [name, tensor] of Object.entries(wanted)) {
        expect(outputs[name]!.shape).toEqual(tensor.shape);
        expectClose((await outputs[name]!.download()).data as Float32Array, tensor);
      }
    }
    runner.release();
  });

  test("nothing at all: an empty cache", async () => {
    const runner = await runnerOf(step(), "gpu-buffer");
    const [none, x] = [HostTensor.zeros("float32", [0, 4]), noise([1, 4], 1)];
    for (const past of [none, { ...onGpu(noise([1], 1), STORAGE, 4), dtype: "float32", shape: [0, 4] } as const]) {
      const { present } = (await runner.runLocated({ past, x })) as Record<string, OwnedGpuTensor>;
      expectClose((await present!.download()).data as Float32Array, x);
    }
    runner.release();
    const b = new GraphBuilder();
    const model = modelWith(b, [["y", b.add("Neg", [b.input("x", "float32", ["n", 2])]), ["n", 2]]]);
    const negate = await runnerOf(model, "gpu-buffer");
    const { y } = (await negate.runLocated({ x: HostTensor.zeros("float32", [0, 2]) })) as Record<
      string,
      OwnedGpuTensor
    >;
    expect((await y!.download()).shape).toEqual([0, 2]);
    negate.release();
  });

  test("feeds that do not do are refused by name, and the runner goes on", async () => {
    const runner = await runnerOf(step());
    const other = await requestGpu();
    const good = { past: onGpu(noise([2, 4], 1)), x: onGpu(noise([1, 4], 2)) };
    const foreign = other.device.createBuffer({ size: 32, usage: STORAGE });
    const destroyed = onGpu(noise([2, 4], 1));
    destroyed.gpuBuffer.destroy();
    const late = onGpu(noise([2, 4], 1));
    await runner.runLocated({ ...good, past: late });
    late.gpuBuffer.destroy(); // looked at before
    const mapped = gpu.device.createBuffer({ size: 32, usage: STORAGE, mappedAtCreation: true });
    const produced = (await (await runnerOf(step(), "gpu-buffer")).runLocated(good)) as Record<string, OwnedGpuTensor>;
    produced.present!.dispose();
    const past = (fields: object): object => ({ past: { ...good.past, ...fields } });
    const cases: [string, object, string, string, RegExp][] = [
      ["of another device", past({ gpuBuffer: foreign }), "invalid-argument", "past", /another GPUDevice/],
      [
        "too small",
        past({ gpuBuffer: onGpu(noise([7], 1), STORAGE, 28).gpuBuffer }),
        "shape",
        "past",
        /takes 32 bytes, its GPUBuffer has 28/,
      ],
      ["destroyed", { past: destroyed }, "invalid-argument", "past", /was destroyed/],
      ["destroyed after a run", { past: late }, "invalid-argument", "past", /was destroyed/],
      ["disposed of", { past: produced.present! }, "invalid-argument", "past", /was disposed/],
      ["of another dtype", past({ dtype: "int32" }), "shape", "past", /int32, the model takes float32/],
      ["of another shape", past({ shape: [8] }), "shape", "past", /\[8\], the model takes \[n, 4\]/],
      [
        "without STORAGE",
        past({ gpuBuffer: onGpu(noise([8], 1), COPY_SRC).gpuBuffer }),
        "invalid-argument",
        "past",
        /STORAGE/,
      ],
      ["mapped", past({ gpuBuffer: mapped }), "invalid-argument", "past", /mapped/],
      ["no buffer", past({ gpuBuffer: 3 }), "invalid-argument", "past", /no GPUBuffer/],
    ];
    for (const [what, feeds, code, field, message] of cases) {
      const running = runner.runLocated({ ...good, ...feeds });
      const error = await running.then(
        () => expect.unreachable(what),
        (reason: Error) => reason,
      );
      expect(error, what).toMatchObject({ name: "NonzeroError", code, place: { field } });
      expect(error.message).toMatch(message);
    }
    const readOnHost = await runnerOf(origins());
    await expect(readOnHost.runLocated({ x: onGpu(noise([2, 3], 1)) })).rejects.toThrow(/field 'x'.*COPY_SRC/);
    expect(() => readOnHost.run({ x: onGpu(noise([2, 3], 1)) as never })).toThrow(/runLocated/);
    const b = new GraphBuilder();
    const triples = await runnerOf(modelWith(b, [["y", b.add("Neg", [b.input("x", "float32", [3])]), [3]]]));
    await expect(triples.runLocated({ x: onGpu(noise([3], 1), STORAGE, 12) })).rejects.toThrow(/16 bytes.*COPY_SRC/);
    expectClose(
      ((await runner.runLocated(good)).y as HostTensor).data as Float32Array,
      evaluate(step(), noise([2, 4], 1), noise([1, 4], 2)).y!,
    );
    other.release();
    for (const one of [runner, readOnHost, triples]) one.release();
  });

  test("disposed onnxruntime tensors, and dtypes that theirs do not have there", async () => {
    env.webgpu.device = gpu.device;
    const session = await InferenceSession.create(writeModel(step()), {
      executionProviders: ["webgpu"],
      preferredOutputLocation: "gpu-buffer",
    });
    const feeds = { past: toOrt(noise([1, 4], 1)), x: toOrt(noise([1, 4], 2)) };
    const { present } = await session.run(feeds, ["present"]);
    present!.dispose();
    await expect(session.run({ ...feeds, past: present! })).rejects.toMatchObject({
      code: "invalid-argument",
      place: { field: "past" },
    });
    const b = new GraphBuilder();
    const bytes = writeModel(modelWith(b, [["y", b.add("Neg", [b.input("x", "int8", [4])]), [4]]], "int8"));
    const create = (preferredOutputLocation: never) =>
      InferenceSession.create(bytes, { executionProviders: ["webgpu"], preferredOutputLocation });
    await expect(create("gpu-buffer" as never)).rejects.toMatchObject({ code: "unsupported", place: { field: "y" } });
    await expect(create("texture" as never)).rejects.toMatchObject({
      code: "invalid-argument",
      place: { field: "preferredOutputLocation" },
    });
    await session.release();
    env.webgpu.device = undefined as never;
  });

  test("env.webgpu.device is the GPU that sessions share; outputs outlive their session", async () => {
    const device = (await env.webgpu.device) as unknown as GPUDevice;
    expect(await env.webgpu.device).toBe(device);
    const options = { executionProviders: ["webgpu"], preferredOutputLocation: "gpu-buffer" } as const;
    const session = await InferenceSession.create(writeModel(step()), options);
    const created = vi.spyOn(device, "createBuffer");
    const [past, x] = [noise([1, 4], 1), noise([1, 4], 2)];
    const { present } = await session.run({ past: toOrt(past), x: toOrt(x) }, ["present"]);
    expect(created).toHaveBeenCalled();
    await session.release();
    expectClose(await floats(present!), evaluate(step(), past, x).present!);
    expect(() => {
      env.webgpu.device = {} as never;
    }).toThrow(/GPUDevice/);
  });

  test("a GPU that is lost under a session that may also run on wasm: it goes on there, and says so once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { device } = await requestGpu();
    const session = await InferenceSession.create(writeModel(step()), {
      executionProviders: [{ name: "webgpu", device }, "wasm"],
      intraOpNumThreads: 1,
      preferredOutputLocation: "gpu-buffer",
    });
    const [past, x] = [noise([1, 4], 1), noise([1, 4], 2)];
    const feeds = { past: toOrt(past), x: toOrt(x) };
    expect((await session.run(feeds)).present!.location).toBe("gpu-buffer");
    expect(warn).not.toHaveBeenCalled();
    device.destroy();
    for (let again = 0; again < 2; again++) {
      const { present } = await session.run(feeds);
      expect(present!.location).toBe("cpu");
      expectClose(present!.data as Float32Array, evaluate(step(), past, x).present!);
    }
    expect(warn.mock.calls).toEqual([[expect.stringContaining("the GPU is lost")]]);
    await session.release();
  });

  test("as a backend of another copy of onnxruntime, whose own tensors come out", async () => {
    const ort = createRequire(import.meta.url)("onnxruntime-common") as typeof common;
    expect(ort.Tensor).not.toBe(Tensor);
    ort.registerBackend("webgpu", nonzeroBackend, 5);
    const session = await ort.InferenceSession.create(writeModel(step()), {
      executionProviders: ["webgpu"],
      preferredOutputLocation: "gpu-buffer",
    });
    const [past, x] = [noise([1, 4], 1), noise([1, 4], 2)];
    const of = ({ data, shape }: HostTensor) => new ort.Tensor("float32", data as Float32Array, shape);
    const { present, y } = await session.run({ past: of(past), x: of(x) });
    for (const tensor of [present!, y!]) expect(tensor).toBeInstanceOf(ort.Tensor);
    const second = await session.run({ past: present!, x: of(x) }, ["y"]);
    expectClose(await floats(second.y!), evaluate(step(), evaluate(step(), past, x).present!, x).y!);
    await session.release();
  });
});

test("on WebAssembly tensors on the GPU are refused, and outputs cannot be there", async () => {
  const preferredOutputLocation = "gpu-buffer" as const;
  const refused = { code: "invalid-argument", place: { field: "preferredOutputLocation" } };
  expect(() => new Runner(step(), { preferredOutputLocation })).toThrow(expect.objectContaining(refused));
  await expect(InferenceSession.create(writeModel(step()), { preferredOutputLocation })).rejects.toMatchObject(refused);
  const runner = new Runner(step(), { threads: 1 });
  const past = { dtype: "float32", shape: [1, 4], gpuBuffer: {} as GPUBuffer } as const;
  await expect(runner.runLocated({ past, x: noise([1, 4], 1) })).rejects.toMatchObject({
    code: "unsupported",
    place: { field: "past" },
  });
});
