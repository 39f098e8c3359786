import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  floats,
  graphAttribute,
  info,
  int64s,
  intAttribute,
  modelBytes,
  node,
} from "../../../test/support/onnx-proto.js";
import { subgraphsOf } from "../../graph/index.js";
import { SparseTensor } from "../../layouts/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import { type ExternalData, readModel, readTensor } from "./index.js";
import { TensorProtoSchema, AttributeProto_AttributeType as Type } from "./onnx_pb.js";

type TensorInit = Omit<MessageInitShape<typeof TensorProtoSchema>, "$typeName">;

const tensor = (init: TensorInit, externalData?: ExternalData): Tensor =>
  readTensor(toBinary(TensorProtoSchema, create(TensorProtoSchema, init)), { file: "t.pb", externalData });

const failureOf = (body: () => unknown): NonzeroError => {
  try {
    body();
  } catch (error) {
    if (error instanceof NonzeroError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("graphs", () => {
  it("has values by reference, left out inputs as null and the types that the file gives", () => {
    const { graph } = readModel(
      modelBytes({
        input: [info("x", ["batch", 4, null])],
        output: [info("y", ["batch", 4, 2])],
        initializer: [floats("max", [], [3])],
        valueInfo: [info("c", ["batch", -1, 2])],
        node: [node("Clip", ["x", "", "max"], ["c"], { name: "clip" }), node("Relu", ["c"], ["y", ""])],
      }),
    );
    const [clip, relu] = graph.nodes;
    expect(clip).toMatchObject({ op: "Clip", domain: "", version: 17, name: "clip" });
    expect(clip?.inputs[0]).toBe(graph.inputs[0]);
    expect(clip?.inputs[1]).toBeNull();
    expect(graph.constants.get(clip!.inputs[2]!)).toEqual(Tensor.scalar("float32", 3));
    expect(relu?.inputs[0]).toBe(clip?.outputs[0]);
    expect(relu?.outputs).toEqual([graph.outputs[0], null]);
    expect(graph.outputs[0]?.type).toEqual({ dtype: "float32", shape: ["batch", 4, 2] });
    const unnamed = [graph.inputs[0]?.type?.shape?.[2], relu?.inputs[0]?.type?.shape?.[1]];
    expect(new Set([...unnamed, "batch"]).size).toBe(3);
    for (const name of unnamed) expect(name).toEqual(expect.any(String));
  });

  it("lets subgraphs read the values around them", () => {
    const branch = (op: string) => ({ name: op, output: [info("z", [])], node: [node(op, ["h"], ["z"])] });
    const { graph } = readModel(
      modelBytes({
        input: [info("x", []), info("c", [], 9)],
        output: [info("y", [])],
        node: [
          node("Relu", ["x"], ["h"]),
          node("If", ["c"], ["y"], {
            attribute: [graphAttribute("then_branch", branch("Neg")), graphAttribute("else_branch", branch("Abs"))],
          }),
        ],
      }),
    );
    const [then, otherwise] = subgraphsOf(graph.nodes[1]!);
    expect(then?.nodes[0]?.inputs[0]).toBe(graph.nodes[0]?.outputs[0]);
    expect(otherwise?.nodes[0]?.inputs[0]).toBe(graph.nodes[0]?.outputs[0]);
    expect(then?.outputs[0]).not.toBe(otherwise?.outputs[0]);
  });

  it("sorts nodes that come before what they read, through subgraphs too", () => {
    const inner = { name: "b", output: [info("z", [])], node: [node("Neg", ["h"], ["z"])] };
    const { graph } = readModel(
      modelBytes({
        input: [info("x", []), info("c", [], 9)],
        output: [info("y", [])],
        node: [
          node("If", ["c"], ["y"], { attribute: [graphAttribute("then_branch", inner)] }),
          node("Relu", ["x"], ["h"]),
        ],
      }),
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Relu", "If"]);
  });

  it("keeps initializers of inputs as defaults, but not those that old files had to list as inputs", () => {
    const graph = {
      input: [info("x", [1]), info("w", [1])],
      output: [info("y", [1])],
      initializer: [floats("w", [1], [2])],
      node: [node("Add", ["x", "w"], ["y"])],
    };
    const names = (irVersion: bigint) => readModel(modelBytes(graph, { irVersion })).graph.inputs.map((v) => v.name);
    expect(names(3n)).toEqual(["x"]);
    expect(names(4n)).toEqual(["x", "w"]);
  });

  it("clamps integers beyond 2^53 - 1 and keeps the kinds of attributes", () => {
    const { graph } = readModel(
      modelBytes({
        input: [info("x", [1])],
        output: [info("y", [1])],
        node: [
          node("Slice", ["x"], ["y"], {
            attribute: [
              intAttribute("end", 2n ** 63n - 1n),
              intAttribute("start", -(2n ** 63n)),
              { name: "alpha", type: Type.FLOAT, f: 2 },
              { name: "none", type: Type.FLOATS },
              { name: "words", type: Type.STRINGS, strings: [new TextEncoder().encode("naïve")] },
            ],
          }),
        ],
      }),
    );
    expect([...graph.nodes[0]!.attributes]).toEqual([
      ["end", { kind: "int", value: Number.MAX_SAFE_INTEGER }],
      ["start", { kind: "int", value: Number.MIN_SAFE_INTEGER }],
      ["alpha", { kind: "float", value: 2 }],
      ["none", { kind: "floats", value: [] }],
      ["words", { kind: "strings", value: ["naïve"] }],
    ]);
  });

  it.each([
    ["sequences", { name: "s", type: { value: { case: "sequenceType" as const, value: {} } } }],
    ["maps", { name: "s", type: { value: { case: "mapType" as const, value: {} } } }],
    ["optional values", { name: "s", type: { value: { case: "optionalType" as const, value: {} } } }],
  ])("does not take %s", (words, input) => {
    const error = failureOf(() => readModel(modelBytes({ input: [input] }), { file: "m.onnx" }));
    expect(error).toMatchObject({ code: "unsupported", place: { file: "m.onnx", field: "s" } });
    expect(error.message).toContain(words);
  });

  it("names file, node and field of what is wrong", () => {
    const bytes = modelBytes({ node: [node("Relu", ["nowhere"], ["y"], { name: "r" })] });
    expect(failureOf(() => readModel(bytes, { file: "m.onnx" })).message).toBe(
      "m.onnx, node 'r', field 'nowhere': value 'nowhere' is read but never defined",
    );
  });

  it("reads old opsets only where operators mean what they mean today", () => {
    const read = (op: string, version: bigint) =>
      readModel(
        modelBytes(
          { input: [info("x", [1])], output: [info("y", [1])], node: [node(op, ["x", "x"], ["y"])] },
          { opsetImport: [{ domain: "ai.onnx", version }] },
        ),
      ).graph.nodes[0]?.version;
    expect(read("Add", 7n)).toBe(7);
    expect(read("Relu", 1n)).toBe(1);
    expect(read("Relu", 99n)).toBe(99);
    expect(failureOf(() => read("Add", 6n)).code).toBe("unsupported");
  });
});

describe("functions", () => {
  const twice = {
    name: "Twice",
    domain: "local",
    input: ["a", "unused"],
    output: ["b"],
    attribute: ["alpha"],
    attributeProto: [{ name: "beta", type: Type.FLOAT, f: 0.5 }],
    opsetImport: [{ domain: "", version: 17n }],
    node: [
      node("LeakyRelu", ["a"], ["t"], {
        name: "first",
        attribute: [{ name: "alpha", refAttrName: "alpha", type: Type.FLOAT }],
      }),
      node("Elu", ["t"], ["b"], { attribute: [{ name: "alpha", refAttrName: "beta", type: Type.FLOAT }] }),
    ],
  };
  const imports = [
    { domain: "", version: 17n },
    { domain: "local", version: 1n },
  ];

  it("inlines calls, with attributes given, defaulted and left out", () => {
    const call = (from: string, to: string, attribute: object[]) =>
      node("Twice", [from], [to], { domain: "local", name: `call_${to}`, attribute });
    const { graph } = readModel(
      modelBytes(
        {
          input: [info("x", [1])],
          output: [info("y", [1])],
          node: [call("x", "h", [{ name: "alpha", type: Type.FLOAT, f: 0.25 }]), call("h", "y", [])],
        },
        { functions: [twice], opsetImport: imports },
      ),
    );
    expect(graph.nodes.map(({ op, version, name }) => [op, version, name])).toEqual([
      ["LeakyRelu", 17, "call_h/first"],
      ["Elu", 17, ""],
      ["LeakyRelu", 17, "call_y/first"],
      ["Elu", 17, ""],
    ]);
    const [first, , second, last] = graph.nodes;
    expect([...first!.attributes]).toEqual([["alpha", { kind: "float", value: 0.25 }]]);
    expect([...second!.attributes]).toEqual([]);
    expect([...last!.attributes]).toEqual([["alpha", { kind: "float", value: 0.5 }]]);
    expect(first?.outputs[0]?.name).toBe("call_h/t");
    expect(second?.outputs[0]?.name).toBe("call_y/t");
    expect(last?.outputs[0]).toBe(graph.outputs[0]);
  });

  it("inlines calls in calls and in subgraphs, and passes inputs through", () => {
    const outer = {
      name: "Outer",
      domain: "local",
      input: ["c", "p"],
      output: ["q", "p"],
      opsetImport: imports,
      node: [
        node("If", ["c"], ["q"], {
          attribute: [
            graphAttribute("then_branch", {
              output: [info("z", [1])],
              node: [node("Twice", ["p"], ["z"], { domain: "local" })],
            }),
          ],
        }),
      ],
    };
    const { graph } = readModel(
      modelBytes(
        {
          input: [info("c", [], 9), info("x", [1])],
          output: [info("y", [1]), info("same", [1])],
          node: [node("Outer", ["c", "x"], ["y", "same"], { domain: "local", name: "o" })],
        },
        { functions: [outer, twice], opsetImport: imports },
      ),
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(["If", "Identity"]);
    const [branch] = subgraphsOf(graph.nodes[0]!);
    expect(branch?.nodes.map(({ op }) => op)).toEqual(["LeakyRelu", "Elu"]);
    expect(branch?.nodes[0]?.inputs[0]).toBe(graph.inputs[1]);
    expect(branch?.nodes[1]?.outputs[0]).toBe(branch?.outputs[0]);
    expect(graph.nodes[1]?.outputs[0]).toBe(graph.outputs[1]);
  });

  it("rejects recursion", () => {
    const self = { ...twice, node: [node("Twice", ["a"], ["b"], { domain: "local" })] };
    const graph = { input: [info("x", [1])], output: [], node: [node("Twice", ["x"], ["y"], { domain: "local" })] };
    const error = failureOf(() => readModel(modelBytes(graph, { functions: [self], opsetImport: imports })));
    expect(error.code).toBe("invalid-model");
    expect(error.reason).toContain("calls itself");
  });

  it("stops calls of calls that multiply", () => {
    const level = (i: number) => ({
      ...twice,
      name: `F${i}`,
      node: [
        node(`F${i + 1}`, ["a"], ["t"], { domain: "local" }),
        node(`F${i + 1}`, ["t"], ["b"], { domain: "local" }),
      ],
    });
    const functions = [...Array.from({ length: 40 }, (_, i) => level(i)), { ...twice, name: "F40" }];
    const graph = { input: [info("x", [1])], output: [], node: [node("F0", ["x"], ["y"], { domain: "local" })] };
    const error = failureOf(() => readModel(modelBytes(graph, { functions, opsetImport: imports })));
    expect(error.code).toBe("unsupported");
  });
});

describe("tensors", () => {
  it.each<[string, TensorInit, Tensor]>([
    ["float32", { dataType: 1, floatData: [1.5, -2] }, Tensor.from("float32", [2], [1.5, -2])],
    ["uint8", { dataType: 2, int32Data: [0, 255] }, Tensor.from("uint8", [2], [0, 255])],
    ["int8", { dataType: 3, int32Data: [-128, 127] }, Tensor.from("int8", [2], [-128, 127])],
    ["uint16", { dataType: 4, int32Data: [0, 65535] }, Tensor.from("uint16", [2], [0, 65535])],
    ["int16", { dataType: 5, int32Data: [-32768, 1] }, Tensor.from("int16", [2], [-32768, 1])],
    ["int32", { dataType: 6, int32Data: [-1, 2 ** 31 - 1] }, Tensor.from("int32", [2], [-1, 2 ** 31 - 1])],
    ["int64", { dataType: 7, int64Data: [-1n, 5n] }, Tensor.from("int64", [2], [-1, 5])],
    ["bool", { dataType: 9, int32Data: [0, 1] }, Tensor.from("bool", [2], [0, 1])],
    ["float16", { dataType: 10, int32Data: [0x3c00, 0xc000] }, Tensor.from("float16", [2], [1, -2])],
    ["float64", { dataType: 11, doubleData: [0.1, 1e300] }, Tensor.from("float64", [2], [0.1, 1e300])],
    ["uint32", { dataType: 12, uint64Data: [0n, 2n ** 32n - 1n] }, Tensor.from("uint32", [2], [0, 2 ** 32 - 1])],
    ["uint64", { dataType: 13, uint64Data: [1n, 2n] }, Tensor.from("uint64", [2], [1, 2])],
    ["bfloat16", { dataType: 16, int32Data: [0x3f80, 0xc000] }, Tensor.from("bfloat16", [2], [1, -2])],
    ["uint4", { dataType: 21, int32Data: [0xf1] }, Tensor.from("uint4", [2], [1, 15])],
    ["int4", { dataType: 22, int32Data: [0x8f] }, Tensor.from("int4", [2], [-1, -8])],
  ])("reads %s from its own field and from raw data alike", (_name, fields, expected) => {
    expect(tensor({ dims: [2n], ...fields })).toEqual(expected);
    expect(tensor({ dims: [2n], dataType: fields.dataType!, rawData: expected.bytes().slice() })).toEqual(expected);
  });

  it("reads strings and tensors without elements", () => {
    const strings = [new TextEncoder().encode("a"), new TextEncoder().encode("ß")];
    expect(tensor({ dims: [2n], dataType: 8, stringData: strings }).strings()).toEqual(["a", "ß"]);
    expect(tensor({ dims: [3n, 0n], dataType: 7 }).shape).toEqual([3, 0]);
  });

  it.each([17, 18, 19, 20, 14, 15, 23, 24, 25, 26, 99])("does not take element type %i", (dataType) => {
    expect(failureOf(() => tensor({ dims: [1n], dataType })).code).toBe("unsupported");
  });

  it("makes raw data a view where it is aligned, and shifts it into alignment where the bytes are its own", () => {
    for (const name of ["", "a", "ab", "abc"]) {
      const init = { name, dims: [100n], dataType: 1, rawData: new Uint8Array(new Float32Array(100).fill(0.5).buffer) };
      const bytes = toBinary(TensorProtoSchema, create(TensorProtoSchema, init));
      const copyOrView = readTensor(bytes);
      const own = readTensor(bytes, { ownsBytes: true });
      expect(own.bytes().buffer).toBe(bytes.buffer);
      for (const read of [copyOrView, own]) expect(read).toEqual(Tensor.from("float32", [100], Array(100).fill(0.5)));
    }
  });

  it("reads external data by range", () => {
    const bytes = new Uint8Array(new Float32Array([9, 1, 2, 9]).buffer);
    const external = (entries: Record<string, string>) => ({
      dims: [2n],
      dataType: 1,
      dataLocation: 1,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    });
    const init = external({ location: "sub/w.bin", offset: "4", length: "8" });
    const asked: string[] = [];
    const file = { size: 16, read: (offset: number, length: number) => bytes.slice(offset, offset + length) };
    const read = tensor(init, (location) => {
      asked.push(location);
      return file;
    });
    expect(read).toEqual(Tensor.from("float32", [2], [1, 2]));
    expect(tensor(init, () => bytes)).toEqual(read);
    expect(asked).toEqual(["sub/w.bin"]);
    expect(failureOf(() => tensor(init)).code).toBe("not-found");
    expect(failureOf(() => tensor(init, () => bytes.subarray(0, 11))).code).toBe("invalid-model");
  });
});

describe("sparse initializers", () => {
  const dense = [0, 2, 0, 0, 0, 3];
  const sparse = (linear: boolean) => ({
    dims: [2n, 3n],
    values: floats("w", [2], [2, 3]),
    indices: linear ? int64s("", [2], [1, 5]) : int64s("", [2, 2], [0, 1, 1, 2]),
  });
  const read = (linear: boolean, op: string, attribute: object[] = []) => {
    const { graph } = readModel(
      modelBytes({
        input: [info("x", ["n", 2])],
        output: [info("y", ["n", 3])],
        sparseInitializer: [sparse(linear)],
        node: [node(op, ["x", "w"], ["y"], { attribute })],
      }),
    );
    return [...graph.constants.values()][0] as SparseTensor;
  };

  it.each([
    ["MatMul", [], [1, 0]],
    ["Gemm", [], [1, 0]],
    ["Gemm", [intAttribute("transB", 1)], [0, 1]],
    ["Add", [], [0, 1]],
  ] as const)("stay sparse in the order that %s reads", (op, attribute, perm) => {
    for (const linear of [true, false]) {
      const constant = read(linear, op, [...attribute]);
      expect(constant).toBeInstanceOf(SparseTensor);
      expect(constant.perm).toEqual(perm);
      expect(constant.stored.layout).toBe("csr");
      expect(constant.toDense()).toEqual(Tensor.from("float32", [2, 3], dense));
    }
  });

  it("keep Conv's input channels innermost, and become dense where nothing reads a matrix", () => {
    const initializer = {
      dims: [2n, 2n, 1n, 2n],
      values: floats("w", [3], [1, 2, 3]),
      indices: int64s("", [3], [1, 2, 7]),
    };
    const constants = (op: string) =>
      readModel(
        modelBytes({
          input: [info("x", [1, 2, 4, 4])],
          output: [info("y", [1, 2, 4, 3])],
          sparseInitializer: [initializer],
          node: [node(op, ["x", "w"], ["y"])],
        }),
      ).graph.constants;
    const [conv] = constants("Conv").values();
    const [other] = constants("Mul").values();
    expect((conv as SparseTensor).perm).toEqual([0, 2, 3, 1]);
    expect(other).toEqual(Tensor.from("float32", [2, 2, 1, 2], [0, 1, 2, 0, 0, 0, 0, 3]));
    expect((conv as SparseTensor).toDense()).toEqual(other);
  });

  it("are read from Constant nodes too", () => {
    const { graph } = readModel(
      modelBytes({
        input: [info("x", ["n", 2])],
        output: [info("y", ["n", 3])],
        node: [
          node("Constant", [], ["w"], {
            attribute: [{ name: "sparse_value", type: Type.SPARSE_TENSOR, sparseTensor: sparse(true) }],
          }),
          node("MatMul", ["x", "w"], ["y"]),
        ],
      }),
    );
    expect(graph.nodes.map(({ op }) => op)).toEqual(["MatMul"]);
    const constant = graph.constants.get(graph.nodes[0]!.inputs[1]!);
    expect((constant as SparseTensor).toDense()).toEqual(Tensor.from("float32", [2, 3], dense));
  });
});
