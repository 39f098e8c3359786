import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { writeModel } from "../../src/formats/onnx/index.js";
import { writeModelFile } from "../../src/formats/onnx/node.js";
import { GraphBuilder, type ValueType } from "../../src/graph/index.js";
import { InferenceSession, loadModel, Tensor } from "../../src/node.js";
import { NonzeroError } from "../../src/tensor/index.js";
import { modelOf, noise, perceptron } from "../support/small-models.js";

const folder = mkdtempSync(join(tmpdir(), "nonzero-session-"));
const path = join(folder, "perceptron.onnx");
const bytes = writeModel(perceptron());
const x = new Tensor("float32", noise([3, 16], 7).data as Float32Array, [3, 16]);
let expected: Float32Array;

const single = { intraOpNumThreads: 1 };
const outputOf = async (session: InferenceSession): Promise<Float32Array> =>
  (await session.run({ x })).y!.data as Float32Array;

/** What a promise is rejected with. */
const errorOf = async (promise: Promise<unknown>): Promise<NonzeroError> => {
  const error = await promise.then(
    () => expect.unreachable("it did not fail"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NonzeroError);
  return error as NonzeroError;
};

beforeAll(async () => {
  writeFileSync(path, bytes);
  expected = await outputOf(
    await InferenceSession.create(bytes, { executionProviders: [{ name: "nonzero", device: "reference" }] }),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllGlobals());

/** Sums of 32 products of sums of 16. */
const TOLERANCE = 48 * 2 ** -24 * 48;

function close(actual: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(TOLERANCE);
  });
}

describe("where a model comes from", () => {
  const padded = new Uint8Array(bytes.length + 20);
  padded.set(bytes, 13);
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  test.each<[string, () => Promise<InferenceSession>]>([
    ["a path", () => InferenceSession.create(path, single)],
    ["a relative path", () => InferenceSession.create(relative(process.cwd(), path), single)],
    ["a file URL", () => InferenceSession.create(pathToFileURL(path), single)],
    ["a file URL as text", () => InferenceSession.create(pathToFileURL(path).href, single)],
    ["a file URL without options", () => InferenceSession.create(pathToFileURL(path))],
    ["a Uint8Array", () => InferenceSession.create(bytes, single)],
    ["a Uint8Array in a larger buffer", () => InferenceSession.create(padded.subarray(13, 13 + bytes.length), single)],
    ["an ArrayBuffer", () => InferenceSession.create(Uint8Array.from(bytes).buffer, single)],
    ["a SharedArrayBuffer", () => InferenceSession.create(shared.buffer, single)],
    ["an ArrayBuffer, offset, length", () => InferenceSession.create(padded.buffer, 13, bytes.length, single)],
    ["an ArrayBuffer, offset, length, no options", () => InferenceSession.create(padded.buffer, 13, bytes.length)],
    ["bytes without options", () => InferenceSession.create(bytes)],
  ])("%s", async (_, create) => {
    const session = await create();
    close(await outputOf(session));
    await session.release();
  });

  test("an https URL is fetched", async () => {
    const fetched = vi.fn(async (_: string) => new Response(Uint8Array.from(bytes)));
    vi.stubGlobal("fetch", fetched);
    close(await outputOf(await InferenceSession.create("https://models.example/p.onnx", single)));
    close(await outputOf(await InferenceSession.create(new URL("https://models.example/p.onnx"), single)));
    expect(fetched.mock.calls).toEqual([["https://models.example/p.onnx"], ["https://models.example/p.onnx"]]);
  });

  test.each<[string, () => Promise<Response>, string, RegExp]>([
    ["not there", async () => new Response("", { status: 404, statusText: "Not Found" }), "not-found", /404 Not Found/],
    ["not now", async () => new Response("", { status: 503 }), "io", /503/],
    ["no network", async () => Promise.reject(new TypeError("fetch failed")), "io", /fetch failed/],
    ["a web page instead", async () => new Response("<!doctype html><title>hi</title>"), "invalid-model", /ONNX/],
    ["nothing", async () => new Response(""), "invalid-model", /graph/],
  ])("an https URL with %s", async (_, respond, code, message) => {
    vi.stubGlobal("fetch", respond);
    const error = await errorOf(InferenceSession.create("https://models.example/p.onnx"));
    expect(error).toMatchObject({ code, place: { file: "https://models.example/p.onnx" } });
    expect(error.message).toMatch(message);
  });

  test("a body that breaks off is an io error", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new TypeError("terminated")) });
    vi.stubGlobal("fetch", async () => new Response(body));
    expect(await errorOf(InferenceSession.create("http://x/p.onnx"))).toMatchObject({ code: "io" });
  });

  test.each([
    ["a missing file", () => join(folder, "none.onnx"), "not-found"],
    ["a folder", () => folder, "io"],
    ["a file URL of another host", () => "file://elsewhere/p.onnx", "invalid-argument"],
  ])("%s", async (_, source, code) => {
    expect(await errorOf(InferenceSession.create(source()))).toMatchObject({ code });
  });

  test("the rest of onnxruntime-common's own checks stay", async () => {
    await expect(InferenceSession.create(3 as never)).rejects.toThrow("must be 'path' or 'buffer'");
    await expect(InferenceSession.create(bytes.buffer, -1)).rejects.toThrow(RangeError);
  });
});

describe("external data", () => {
  const file = join(folder, "split.onnx");
  let data: Buffer;
  let main: Buffer;
  beforeAll(async () => {
    await writeModelFile(file, perceptron(), { externalFrom: 64 });
    data = readFileSync(`${file}.data`);
    main = readFileSync(file);
  });
  const location = "split.onnx.data";

  test("is found beside a file", async () => close(await outputOf(await InferenceSession.create(file, single))));
  test("is found beside a file that also names it", async () =>
    close(await outputOf(await InferenceSession.create(file, { ...single, externalData: [location] }))));
  test.each<[string, () => Uint8Array | ArrayBuffer | Blob | string]>([
    ["a Uint8Array", () => data],
    ["an ArrayBuffer", () => Uint8Array.from(data).buffer],
    ["a Blob", () => new Blob([Uint8Array.from(data)])],
    ["a path", () => `${file}.data`],
    ["a data URL", () => `data:application/octet-stream;base64,${data.toString("base64")}`],
  ])("as %s", async (_, given) => {
    const externalData = [{ path: location, data: given() }];
    close(await outputOf(await InferenceSession.create(main, { ...single, externalData })));
    close(await outputOf(await InferenceSession.create(file, { ...single, externalData })));
  });
  test("given bytes go before the file's own", async () => {
    const externalData = [{ path: location, data: new Uint8Array(data.length) }];
    const session = await InferenceSession.create(file, { ...single, externalData });
    expect([...(await outputOf(session))].every((value) => value === 0)).toBe(true);
  });
  test("that is missing is an error that says what to give", async () => {
    const error = await errorOf(InferenceSession.create(main));
    expect(error.code).toBe("not-found");
    expect(error.message).toContain(`externalData: [{ path: '${location}', data }]`);
  });
});

/** x → Identity → y, as a file. */
function identity(type: ValueType): Uint8Array {
  const b = new GraphBuilder();
  const y = b.add("Identity", [b.input("x", type.dtype, type.shape)]);
  y.type = type;
  b.output(y, "y");
  return writeModel(modelOf(b.build()));
}

/** x + x (or for bool: not x), so that a kernel or an evaluation sees the elements. */
function doubled(type: ValueType): Uint8Array {
  const b = new GraphBuilder();
  const input = b.input("x", type.dtype, type.shape);
  const y = type.dtype === "bool" ? b.add("Not", [input]) : b.add("Add", [input, input]);
  y.type = type;
  b.output(y, "y");
  return writeModel(modelOf(b.build()));
}

describe.each(["wasm", "reference"] as const)("dtypes on %s", (device) => {
  const options = { executionProviders: [{ name: "nonzero", device, threads: 1 }] };
  const run = async (model: Uint8Array, tensor: Tensor): Promise<Tensor> => {
    const session = await InferenceSession.create(model, options);
    const { y } = await session.run({ x: tensor });
    await session.release();
    return y as Tensor;
  };
  test.each<[string, Tensor, readonly unknown[]]>([
    ["float32", new Tensor("float32", Float32Array.of(1.5, -2), [2]), [3, -4]],
    ["float64", new Tensor("float64", Float64Array.of(1.5, -2), [2]), [3, -4]],
    ["int64", new Tensor("int64", BigInt64Array.of(-1n, 2n ** 40n), [2]), [-2n, 2n ** 41n]],
    ["uint64", new Tensor("uint64", BigUint64Array.of(1n, 2n ** 62n), [2]), [2n, 2n ** 63n]],
    ["int32", new Tensor("int32", Int32Array.of(-5, 7), [2]), [-10, 14]],
    ["uint8", new Tensor("uint8", Uint8Array.of(5, 100), [2]), [10, 200]],
    ["int8", new Tensor("int8", Int8Array.of(-5, 60), [2]), [-10, 120]],
    ["bool", new Tensor("bool", [true, false], [2]), [0, 1]],
  ])("%s", async (dtype, tensor, values) => {
    const y = await run(doubled({ dtype: dtype as "float32", shape: ["n"] }), tensor);
    expect(y).toBeInstanceOf(Tensor);
    expect(y.type).toBe(dtype);
    expect(y.dims).toEqual([2]);
    expect([...(y.data as Float32Array)]).toEqual(values);
  });
  test("string", async () => {
    const y = await run(identity({ dtype: "string", shape: ["n"] }), new Tensor("string", ["a", "ß"], [2]));
    expect(y.data).toEqual(["a", "ß"]);
  });
  const half = (y: Tensor): number[] => {
    const { buffer, byteOffset, length } = y.data as Uint16Array;
    return [...new Uint16Array(buffer, byteOffset, length)];
  };
  test("float16 in a Uint16Array", async () => {
    const tensor = new Tensor("float16", Uint16Array.of(0x3c00, 0xc000), [2]);
    expect(half(await run(doubled({ dtype: "float16", shape: ["n"] }), tensor))).toEqual([0x4000, 0xc400]);
  });
  test("float16 in something else over the same bits, as newer hosts' Float16Array is", async () => {
    const bits = Uint16Array.of(0x3c00, 0xc000);
    const { Float16Array } = globalThis as { Float16Array?: new (buffer: ArrayBuffer) => object };
    const data = Float16Array ? new Float16Array(bits.buffer) : { buffer: bits.buffer, byteOffset: 0, length: 2 };
    const tensor = { type: "float16", dims: [2], location: "cpu", data } as unknown as Tensor;
    expect(half(await run(doubled({ dtype: "float16", shape: ["n"] }), tensor))).toEqual([0x4000, 0xc400]);
  });
});

describe("running", () => {
  test("outputs by name, all or some; tensors made for results are filled", async () => {
    const b = new GraphBuilder();
    const a = b.input("a", "float32", [2]);
    for (const [op, name] of [
      ["Neg", "minus"],
      ["Abs", "size"],
      ["Exp", "exp"],
    ] as const) {
      const y = b.add(op, [a]);
      y.type = { dtype: "float32", shape: [2] };
      b.output(y, name);
    }
    const session = await InferenceSession.create(writeModel(modelOf(b.build())), single);
    expect(session.outputNames).toEqual(["minus", "size", "exp"]);
    const feeds = { a: new Tensor("float32", Float32Array.of(1, -1), [2]) };
    expect(Object.keys(await session.run(feeds))).toEqual(["minus", "size", "exp"]);
    const some = await session.run(feeds, ["size"]);
    expect(Object.keys(some)).toEqual(["size"]);
    const made = new Tensor("float32", new Float32Array(2), [2]);
    const results = await session.run(feeds, { size: made, minus: null });
    expect(results.size).toBe(made);
    expect([...(made.data as Float32Array)]).toEqual([1, 1]);
    expect([...(results.minus!.data as Float32Array)]).toEqual([-1, 1]);
    const wrong = new Tensor("float32", new Float32Array(3), [3]);
    expect(await errorOf(session.run(feeds, { size: wrong }))).toMatchObject({
      code: "shape",
      place: { field: "size" },
    });
    await expect(session.run(feeds, ["other"])).rejects.toThrow(RangeError);
    expect(() => session.startProfiling()).toThrow(/profiler/);
  });

  test("metadata has dtypes, ranks and the names of dimensions", async () => {
    const session = await InferenceSession.create(bytes, single);
    expect(session.inputNames).toEqual(["x"]);
    expect(session.inputMetadata).toEqual([{ name: "x", isTensor: true, type: "float32", shape: ["n", 16] }]);
    expect(session.outputMetadata).toEqual([{ name: "y", isTensor: true, type: "float32", shape: ["n", 8] }]);
  });

  test("freeDimensionOverrides fix named dimensions, for that session alone", async () => {
    const model = await loadModel(bytes);
    const session = await InferenceSession.create(bytes, { ...single, freeDimensionOverrides: { n: 3, other: 9 } });
    expect(session.inputMetadata[0]).toMatchObject({ shape: [3, 16] });
    expect(session.outputMetadata[0]).toMatchObject({ shape: [3, 8] });
    close(await outputOf(session));
    const two = new Tensor("float32", new Float32Array(32), [2, 16]);
    expect(await errorOf(session.run({ x: two }))).toMatchObject({ code: "shape", place: { field: "x" } });
    expect(model.graph.inputs[0]!.type).toEqual({ dtype: "float32", shape: ["n", 16] });
    for (const n of [-1, 1.5, Number.NaN]) {
      const error = await errorOf(InferenceSession.create(bytes, { freeDimensionOverrides: { n } }));
      expect(error).toMatchObject({ code: "invalid-argument", place: { field: "freeDimensionOverrides" } });
    }
  });

  test("feeds that do not fit are errors that name the input", async () => {
    const session = await InferenceSession.create(bytes, single);
    await expect(session.run({})).rejects.toThrow("input 'x' is missing");
    const cases: [Record<string, unknown>, string, string, RegExp][] = [
      [{ x: new Tensor("int32", new Int32Array(16), [1, 16]) }, "shape", "x", /int32, the model takes float32/],
      [{ x: new Tensor("float32", new Float32Array(16), [16]) }, "shape", "x", /\[16\], the model takes \[n, 16\]/],
      [{ x: new Tensor("float32", new Float32Array(15), [1, 15]) }, "shape", "x", /\[1,15\]/],
      [{ x, z: x }, "not-found", "z", /no such input; it has 'x'/],
      [{ x: [1, 2] }, "invalid-argument", "x", /no tensor/],
      [{ x: 3 }, "invalid-argument", "x", /no tensor/],
      [{ x: null }, "invalid-argument", "x", /no tensor/],
      [{ x: { type: "float32", dims: [1, 16], location: "gpu-buffer" } }, "unsupported", "x", /gpu-buffer/],
    ];
    for (const [feeds, code, field, message] of cases) {
      const error = await errorOf(session.run(feeds as { x: Tensor }));
      expect(error).toMatchObject({ code, place: { field } });
      expect(error.message).toMatch(message);
    }
    close(await outputOf(session)); // and the session still works
  });

  test("many runs at once, of two sessions, each give their own results", async () => {
    const other = await InferenceSession.create(writeModel(perceptron(5)), single);
    const session = await InferenceSession.create(bytes, single);
    const inputs = Array.from({ length: 12 }, (_, i) => noise([1 + (i % 3), 16], 100 + i));
    const feed = (i: number) => ({ x: new Tensor("float32", inputs[i]!.data as Float32Array, inputs[i]!.shape) });
    const alone: Float32Array[] = [];
    for (let i = 0; i < 12; i++) alone.push((await (i % 2 ? other : session).run(feed(i))).y!.data as Float32Array);
    const together = await Promise.all(inputs.map((_, i) => (i % 2 ? other : session).run(feed(i))));
    together.forEach(({ y }, i) => {
      expect(y!.data).toEqual(alone[i]);
    });
    await other.release();
    close(await outputOf(session));
  });

  test("results belong to the caller", async () => {
    for (const device of ["wasm", "reference"] as const) {
      const b = new GraphBuilder();
      const a = b.input("a", "float32", [2]);
      b.output(b.add("Identity", [a]), "same");
      b.output(b.add("Identity", [b.constant(noise([2], 3), "c")]), "constant");
      b.output(b.add("Neg", [a]), "minus");
      const model = modelOf(b.build());
      for (const output of model.graph.outputs) output.type = { dtype: "float32", shape: [2] };
      const session = await InferenceSession.create(writeModel(model), {
        executionProviders: [{ name: "nonzero", device, threads: 1 }],
      });
      const feeds = { a: new Tensor("float32", Float32Array.of(1, 2), [2]) };
      const first = await session.run(feeds);
      const values = (results: typeof first) =>
        Object.values(results).map((tensor) => [...(tensor.data as Float32Array)]);
      const before = values(first);
      for (const tensor of Object.values(first)) (tensor.data as Float32Array).fill(9);
      expect([...(feeds.a.data as Float32Array)]).toEqual([1, 2]);
      expect(values(await session.run(feeds))).toEqual(before);
    }
  });

  test("after release there is no running, and a second release does nothing", async () => {
    const session = await InferenceSession.create(bytes, single);
    await session.release();
    await session.release();
    expect((await errorOf(session.run({ x }))).message).toMatch(/released/);
  });

  test("what a released session held can be collected, though the session itself is still there", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const made: WeakRef<object>[] = [];
    const { Memory } = WebAssembly;
    // Not a spy: that would keep what it returned.
    WebAssembly.Memory = new Proxy(Memory, {
      construct(target, [descriptor]) {
        const memory = new target(descriptor as WebAssembly.MemoryDescriptor);
        made.push(new WeakRef(memory));
        return memory;
      },
    });
    const session = await InferenceSession.create(bytes, single);
    WebAssembly.Memory = Memory;
    expect(made).toHaveLength(1);
    const gone = async (): Promise<boolean> => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
      return made[0]!.deref() === undefined;
    };
    await outputOf(session);
    for (let i = 0; i < 3; i++) expect(await gone()).toBe(false);
    await session.release();
    await expect.poll(gone, { timeout: 5000 }).toBe(true);
    expect((await errorOf(session.run({ x }))).code).toBe("invalid-argument");
  });
});

describe("execution providers of our own session", () => {
  test("onnxruntime's names are passed over; ours is used", async () => {
    for (const executionProviders of [[], ["wasm"], ["webnn", "nonzero"], [{ name: "cpu" }]])
      close(await outputOf(await InferenceSession.create(bytes, { ...single, executionProviders })));
  });
  test("options that make no sense", async () => {
    for (const threads of [0, -1, 1.5, Number.NaN, "two"]) {
      const error = await errorOf(
        InferenceSession.create(bytes, { executionProviders: [{ name: "nonzero", threads } as never] }),
      );
      expect(error).toMatchObject({ code: "invalid-argument", place: { field: "threads" } });
    }
    const error = await errorOf(
      InferenceSession.create(bytes, { executionProviders: [{ name: "nonzero", device: "tpu" } as never] }),
    );
    expect(error.message).toMatch(/no device 'tpu'; there are wasm, reference/);
  });
  test("intraOpNumThreads 0 is the default, as onnxruntime has it", async () =>
    close(await outputOf(await InferenceSession.create(bytes, { intraOpNumThreads: 0 }))));
});
