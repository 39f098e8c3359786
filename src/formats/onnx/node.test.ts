import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { describeModel } from "../../../test/support/describe-model.js";
import { info, modelBytes, node } from "../../../test/support/onnx-proto.js";
import { GraphBuilder, type Model } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { readModelFile, writeModelFile } from "./node.js";

vi.mock("node:fs/promises", async (original) => ({ ...(await original<typeof fs>()) }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "nonzero-onnx-"));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function model(fill: number): Model {
  const builder = new GraphBuilder();
  const x = builder.input("x", "float32", [2, 600]);
  const weight = builder.constant(Tensor.from("float32", [600, 3], Array(1800).fill(fill)), "weight");
  const bias = builder.constant(Tensor.from("float32", [3], [1, 2, 3]), "bias");
  builder.output(builder.add("Add", [builder.add("MatMul", [x, weight]), bias]), "y");
  return { graph: builder.build(), opsets: new Map([["", 21]]), irVersion: 10, producer: "", metadata: new Map() };
}

describe("model files", () => {
  it("come back as they were, in one file", async () => {
    const path = join(folder, "m.onnx");
    await writeModelFile(path, model(0.5));
    expect(readdirSync(folder)).toEqual(["m.onnx"]);
    expect(describeModel(readModelFile(path))).toEqual(describeModel(model(0.5)));
  });

  it("come back as they were, with tensors from a size on in a second file that onnxruntime reads too", async () => {
    const path = join(folder, "m.onnx");
    await writeModelFile(path, model(0.5), { externalFrom: 1000 });
    expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data"]);
    expect(readFileSync(path).length).toBeLessThan(1000);
    expect(readFileSync(`${path}.data`).length).toBe(7200);
    expect(describeModel(readModelFile(path))).toEqual(describeModel(model(0.5)));
    const session = await ort.InferenceSession.create(path);
    const { y } = await session.run({ x: new ort.Tensor("float32", new Float32Array(1200).fill(1), [2, 600]) });
    expect([...(y!.data as Float32Array)]).toEqual([301, 302, 303, 301, 302, 303]);
  });

  it("that are not there, or not files, are named", () => {
    const missing = join(folder, "none.onnx");
    expect(() => readModelFile(missing)).toThrowError(
      expect.objectContaining({ code: "not-found", place: { file: missing } }),
    );
    expect(() => readModelFile(folder)).toThrowError(expect.objectContaining({ code: "io" }));
  });
});

describe("writing", () => {
  it("leaves what was there when the disk is full", async () => {
    const path = join(folder, "m.onnx");
    await writeModelFile(path, model(1), { externalFrom: 1000 });
    const before = describeModel(readModelFile(path));
    for (const failing of ["m.onnx.data", "m.onnx"]) {
      const { open } = await vi.importActual<typeof fs>("node:fs/promises");
      vi.spyOn(fs, "open").mockImplementation(async (file, flags) => {
        const handle = await open(file, flags);
        if (!new RegExp(`/\\.${failing}\\.[0-9a-f]+\\.tmp$`).test(String(file))) return handle;
        const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
        return Object.assign(handle, { write: () => Promise.reject(full) });
      });
      await expect(writeModelFile(path, model(2), { externalFrom: 1000 })).rejects.toMatchObject({ code: "io" });
      expect(readdirSync(folder).sort()).toEqual(["m.onnx", "m.onnx.data"]);
      expect(describeModel(readModelFile(path))).toEqual(before);
    }
  });

  it("leaves what was there when it is aborted", async () => {
    const path = join(folder, "m.onnx");
    writeFileSync(path, "before");
    const controller = new AbortController();
    const { open } = await vi.importActual<typeof fs>("node:fs/promises");
    vi.spyOn(fs, "open").mockImplementation(async (file, flags) => {
      controller.abort(); // after the first check, before the first byte
      return open(file, flags);
    });
    const writing = writeModelFile(path, model(2), { signal: controller.signal });
    await expect(writing).rejects.toMatchObject({ code: "aborted" });
    expect(readdirSync(folder)).toEqual(["m.onnx"]);
    expect(readFileSync(path, "utf8")).toBe("before");
  });

  it("names the folder that is missing", async () => {
    const path = join(folder, "nowhere", "m.onnx");
    await expect(writeModelFile(path, model(1))).rejects.toMatchObject({
      code: "io",
      message: expect.stringContaining("nowhere"),
    });
  });
});

describe("external data", () => {
  const file = (location: string) => {
    const entries = [{ key: "location", value: location }];
    const w = { name: "w", dims: [1n], dataType: 1, dataLocation: 1, externalData: entries };
    const bytes = modelBytes({ output: [info("y", [1])], initializer: [w], node: [node("Relu", ["w"], ["y"])] });
    mkdirSync(join(folder, "model"), { recursive: true });
    writeFileSync(join(folder, "secret"), new Uint8Array(4));
    writeFileSync(join(folder, "model", "w.bin"), new Uint8Array(4));
    writeFileSync(join(folder, "model", "m.onnx"), bytes);
    return join(folder, "model", "m.onnx");
  };

  it("inside the model's folder is read", () => {
    expect(readModelFile(file("w.bin")).graph.constants.size).toBe(1);
    expect(readModelFile(file("./w.bin")).graph.constants.size).toBe(1);
  });

  it.each(["../secret", "a/../../secret", "/etc/hostname", "..\\secret", "C:\\secret", "", ".", "\0"])(
    "at %j is refused",
    (location) => {
      const path = file(location);
      expect(() => readModelFile(path)).toThrowError(expect.objectContaining({ name: "NonzeroError" }));
    },
  );

  it("behind a link is refused, unless the model itself was linked from beside it", () => {
    const path = file("linked");
    symlinkSync(join(folder, "secret"), join(folder, "model", "linked"));
    expect(() => readModelFile(path)).toThrow(/leaves the model's folder/);
    mkdirSync(join(folder, "cache"));
    symlinkSync(path, join(folder, "cache", "m.onnx"));
    symlinkSync(join(folder, "model", "w.bin"), join(folder, "cache", "linked"));
    expect(readModelFile(join(folder, "cache", "m.onnx")).graph.constants.size).toBe(1);
    expect(existsSync(join(folder, "secret"))).toBe(true);
  });

  it("that tensors share is read once, and not over and over by tensors that overlap", () => {
    const tensors = (offsets: number[]) =>
      offsets.map((offset, i) => ({
        name: `w${i}`,
        dims: [1024n],
        dataType: 1,
        dataLocation: 1,
        externalData: Object.entries({ location: "w.bin", offset: `${offset}` }).map(([key, value]) => ({
          key,
          value,
        })),
      }));
    const path = join(folder, "m.onnx");
    writeFileSync(join(folder, "w.bin"), new Uint8Array(8192));
    const read = (offsets: number[]) => {
      writeFileSync(path, modelBytes({ initializer: tensors(offsets) }));
      return [...readModelFile(path).graph.constants.values()] as Tensor[];
    };
    const shared = read([4096, 4096, 4096, 4096, 4096, 4096]);
    expect(new Set(shared.map(({ data }) => (data as Float32Array).buffer)).size).toBe(1);
    expect(() => read([0, 4, 8, 12, 16])).toThrow(/'w.bin' more than 2 times/);
  });

  it("that is missing is named with the model, the tensor and the field", () => {
    const path = file("none.bin");
    expect(() => readModelFile(path)).toThrowError(
      expect.objectContaining({ code: "not-found", place: { file: path, node: "w", field: "external_data" } }),
    );
  });
});
