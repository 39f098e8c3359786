import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ExternalData, readModel, writeModel } from "../src/formats/onnx/index.js";
import { AttributeProto_AttributeType as Type } from "../src/formats/onnx/onnx_pb.js";
import { NonzeroError } from "../src/tensor/index.js";
import { describeModel } from "./support/describe-model.js";
import { type Draw, mutateBytes, mutateFields } from "./support/mutate-proto.js";
import { nodeTestFile, nodeTestNames } from "./support/node-tests.js";
import { floats, graphAttribute, info, int64s, intAttribute, modelBytes, node } from "./support/onnx-proto.js";

const FILE = "hostile.onnx";
const externalData: ExternalData = (location) => {
  if (location !== "w.bin") throw new NonzeroError("not-found", `there is no '${location}'`);
  return new Uint8Array(64);
};
const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value) as Uint8Array<ArrayBuffer>;

const uint = (name: string, dataType: number, dims: number[], values: number[]) => ({
  name,
  dims: dims.map(BigInt),
  dataType,
  ...(dataType === 12 ? { uint64Data: values.map(BigInt) } : { int32Data: values }),
});

const toDense = (change: { layout?: string; shape?: number[]; perm?: number[]; dtype?: number } = {}) => {
  const { layout = "csr", shape = [2, 3], perm = [0, 1], dtype = 1 } = change;
  return node("ToDense", ["s.crow", "s.col", "s.values"], ["s"], {
    domain: "ai.nonzero",
    name: "unpack",
    attribute: [
      { name: "layout", type: Type.STRING, s: text(layout) },
      { name: "shape", type: Type.INTS, ints: shape.map(BigInt) },
      { name: "perm", type: Type.INTS, ints: perm.map(BigInt) },
      intAttribute("dtype", dtype),
    ],
  });
};
const csrParts = [uint("s.crow", 12, [3], [0, 1, 2]), uint("s.col", 4, [2], [1, 2]), floats("s.values", [2], [1, 2])];

const external = (entries: Record<string, string>, dims = [2]) => ({
  name: "e",
  dims: dims.map(BigInt),
  dataType: 1,
  dataLocation: 1,
  externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
});

const imports = ["", "ai.nonzero", "local"].map((domain) => ({ domain, version: domain === "" ? 17n : 1n }));

/** One of everything that the reader knows. */
const rich = modelBytes(
  {
    name: "rich",
    input: [info("x", ["n", 2, null]), info("c", [], 9), info("d", [1])],
    output: [info("y", ["n", 2, 3]), info("s", [2, 3])],
    valueInfo: [info("h", ["n", 2, 2])],
    initializer: [
      floats("d", [1], [1]),
      { name: "raw", dims: [2n, 2n], dataType: 1, rawData: new Uint8Array(16) },
      { name: "words", dims: [1n], dataType: 8, stringData: [text("ß")] },
      { name: "nibbles", dims: [3n], dataType: 22, int32Data: [0x21, 0x03] },
      external({ location: "w.bin", offset: "8", length: "8" }),
      ...csrParts,
    ],
    sparseInitializer: [
      { dims: [2n, 3n], values: floats("w", [2], [2, 3]), indices: int64s("", [2, 2], [0, 1, 1, 2]) },
    ],
    node: [
      toDense(),
      node("Twice", ["x"], ["h"], {
        domain: "local",
        name: "call",
        attribute: [{ name: "alpha", type: Type.FLOAT, f: 2 }],
      }),
      node("If", ["c"], ["g"], {
        attribute: [
          graphAttribute("then_branch", { output: [info("t", [])], node: [node("Neg", ["h"], ["t"])] }),
          graphAttribute("else_branch", {
            output: [info("t", [])],
            initializer: [floats("inner", [], [1])],
            node: [node("Add", ["h", "inner"], ["t"])],
          }),
        ],
      }),
      node("MatMul", ["g", "w"], ["y"]),
      node("Clip", ["y", "", "d"], ["z"]),
    ],
  },
  {
    opsetImport: imports,
    functions: [
      {
        name: "Twice",
        domain: "local",
        input: ["a"],
        output: ["b"],
        attribute: ["alpha"],
        opsetImport: imports,
        node: [
          node("LeakyRelu", ["a"], ["t"], { attribute: [{ name: "alpha", refAttrName: "alpha", type: Type.FLOAT }] }),
          node("Identity", ["t"], ["b"]),
        ],
      },
    ],
    metadataProps: [{ key: "k", value: "v" }],
  },
);

/** Reads; and what could be read can be written and read again, or a NonzeroError says why not. */
function survive(bytes: Uint8Array): void {
  const started = performance.now();
  const before = process.memoryUsage().arrayBuffers;
  try {
    const model = readModel(bytes, { file: FILE, externalData });
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(grown).toBeLessThan(2 ** 27 + 64 * bytes.length); // sparse tensors may grow to 2^24 elements
    const again = readModel(writeModel(model));
    expect(describeModel(again).graph).toEqual(describeModel(readModel(writeModel(again))).graph);
  } catch (error) {
    if (!(error instanceof NonzeroError)) throw error;
    if (error.place.file !== undefined) expect(error.place.file).toBe(FILE);
  }
  expect(performance.now() - started).toBeLessThan(5000);
}

const seeds = (): Uint8Array[] => [
  rich,
  ...nodeTestNames(["scan", "constant", "lstm_defaults", "nllloss_NC_expanded", "strnormalizer", "cast_FLOAT16"]).map(
    nodeTestFile,
  ),
];

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];

/** A file whose graph is these bytes. */
const asGraph = (bytes: Uint8Array): Uint8Array => {
  const head = [0x3a, ...varint(bytes.length)];
  const file = new Uint8Array(head.length + bytes.length);
  file.set(head);
  file.set(bytes, head.length);
  return file;
};

/** The rich model half of the time. */
const pick = (files: readonly Uint8Array[], which: number): Uint8Array =>
  which % 2 === 0 ? files[0]! : files[(which >> 1) % files.length]!;

const drawOf = (seed: number): Draw => {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 13), 0x85ebca6b) >>> 0;
    return Math.floor((mixed / 2 ** 32) * below);
  };
};

describe("hostile ONNX files", () => {
  it("the model that they are made from is read in full", () => {
    const { graph } = readModel(rich, { externalData });
    expect(graph.nodes.map(({ op }) => op)).toEqual(["LeakyRelu", "Identity", "If", "MatMul", "Clip"]);
    expect(graph.constants.size).toBe(7);
  });

  it("cut off anywhere", () => {
    for (let length = 0; length < rich.length; length++) survive(rich.subarray(0, length));
  });

  it("with changed bytes", () => {
    const files = seeds();
    fc.assert(
      fc.property(fc.nat(), fc.integer(), (which, seed) => {
        survive(mutateBytes(pick(files, which), drawOf(seed)));
      }),
      { numRuns: 4000 },
    );
  });

  it("with changed fields", () => {
    const files = seeds();
    fc.assert(
      fc.property(fc.nat(), fc.integer(), (which, seed) => {
        survive(mutateFields(pick(files, which), drawOf(seed)));
      }),
      { numRuns: 4000 },
    );
  });

  const failureOf = (bytes: Uint8Array): NonzeroError => {
    try {
      readModel(bytes, { file: FILE, externalData });
    } catch (error) {
      if (error instanceof NonzeroError) return error;
      throw error;
    }
    throw new Error("nothing was thrown");
  };

  const withTensor = (tensor: object): Uint8Array =>
    modelBytes({ output: [info("w", [])], initializer: [{ name: "w", dims: [2n], dataType: 1, ...tensor }] });
  const withNodes = (...nodes: ReturnType<typeof node>[]): Uint8Array =>
    modelBytes({ input: [info("x", [2])], output: [], node: nodes }, { opsetImport: imports });
  const withFunctions = (functions: object[]): Uint8Array =>
    modelBytes(
      { input: [info("x", [2])], output: [], node: [node("F0", ["x"], ["y"], { domain: "local", name: "call" })] },
      {
        opsetImport: imports,
        functions: functions.map((fn, i) => ({ name: `F${i}`, domain: "local", input: ["a"], output: ["b"], ...fn })),
      },
    );
  const call = (name: string) => ({ node: [node(name, ["a"], ["b"], { domain: "local" })] });
  const withSparse = (change: object): Uint8Array =>
    modelBytes({
      sparseInitializer: [
        { dims: [2n, 3n], values: floats("w", [2], [2, 3]), indices: int64s("", [2], [1, 5]), ...change },
      ],
    });
  const withToDense = (change: Parameters<typeof toDense>[0], parts = csrParts): Uint8Array =>
    modelBytes({ output: [info("s", [])], initializer: parts, node: [toDense(change)] }, { opsetImport: imports });
  const nested = (depth: number): object => ({
    output: [],
    node: depth === 0 ? [] : [node("If", [], [], { attribute: [graphAttribute("then_branch", nested(depth - 1))] })],
  });

  it.each<[string, Uint8Array, Partial<NonzeroError["place"]> & { code?: string }]>([
    ["no bytes at all", new Uint8Array(0), { field: "graph" }],
    ["huge dims", withTensor({ dims: [2n ** 40n], floatData: [1] }), { node: "w", field: "float_data" }],
    ["negative dims", withTensor({ dims: [-2n], floatData: [1, 2] }), { node: "w", field: "dims" }],
    ["dims whose product overflows", withTensor({ dims: [2n ** 32n, 2n ** 32n] }), { node: "w", field: "dims" }],
    ["dims whose product wraps to the data", withTensor({ dims: [2n ** 62n, 4n, 2n] }), { node: "w", field: "dims" }],
    [
      "zero among dims that overflow",
      withTensor({
        dims: Array(40)
          .fill(2n ** 52n)
          .concat(0n),
      }),
      { field: "dims" },
    ],
    ["more axes than there are", withTensor({ dims: Array(100_000).fill(1n), floatData: [1] }), { field: "dims" }],
    ["too little data", withTensor({ rawData: new Uint8Array(7) }), { node: "w", field: "raw_data" }],
    ["too much data", withTensor({ floatData: [1, 2, 3] }), { node: "w", field: "float_data" }],
    ["data of another dtype", withTensor({ dataType: 7, floatData: [1, 2] }), { node: "w", field: "int64_data" }],
    ["an unknown dtype", withTensor({ dataType: 1234 }), { node: "w", field: "data_type", code: "unsupported" }],
    ["no dtype", withTensor({ dataType: 0 }), { node: "w", field: "data_type" }],
    [
      "strings that are no UTF-8",
      withTensor({ dims: [1n], dataType: 8, stringData: [new Uint8Array([0xff])] }),
      { field: "string_data" },
    ],
    ["a cycle", withNodes(node("Relu", ["b"], ["a"], { name: "r" }), node("Relu", ["a"], ["b"])), { node: "r" }],
    ["a node that reads itself", withNodes(node("Relu", ["a"], ["a"], { name: "r" })), { node: "r" }],
    [
      "a value made twice",
      withNodes(node("Relu", ["x"], ["a"]), node("Neg", ["x"], ["a"], { name: "n" })),
      { node: "n", field: "a" },
    ],
    ["an input made again", withNodes(node("Relu", ["x"], ["x"], { name: "r" })), { node: "r", field: "x" }],
    ["an input that nothing makes", withNodes(node("Relu", ["q"], ["a"], { name: "r" })), { node: "r", field: "q" }],
    ["an output that nothing makes", modelBytes({ output: [info("q", [])] }), { field: "q" }],
    [
      "two initializers of one name",
      modelBytes({ initializer: [floats("w", [1], [1]), floats("w", [1], [1])] }),
      { node: "w" },
    ],
    [
      "a domain that is not imported",
      withNodes(node("X", ["x"], ["a"], { domain: "d", name: "r" })),
      { node: "r", field: "opset_import" },
    ],
    [
      "an attribute without type",
      withNodes(node("Relu", ["x"], ["a"], { name: "r", attribute: [{ name: "k", i: 3n }] })),
      { node: "r", field: "k" },
    ],
    [
      "an attribute that holds no graph",
      withNodes(node("If", ["x"], ["a"], { name: "r", attribute: [{ name: "k", type: Type.GRAPH }] })),
      { node: "r", field: "k" },
    ],
    [
      "an attribute of a kind that is not read",
      withNodes(node("If", ["x"], ["a"], { name: "r", attribute: [{ name: "k", type: Type.TENSORS }] })),
      { node: "r", field: "k", code: "unsupported" },
    ],
    [
      "an attribute twice",
      withNodes(node("Elu", ["x"], ["a"], { name: "r", attribute: [intAttribute("k", 1), intAttribute("k", 2)] })),
      { node: "r", field: "k" },
    ],
    [
      "an attribute reference outside functions",
      withNodes(node("Elu", ["x"], ["a"], { name: "r", attribute: [{ name: "k", refAttrName: "k" }] })),
      { node: "r", field: "k" },
    ],
    ["a function that calls itself", withFunctions([call("F0")]), { node: "F0 → b" }],
    ["functions that call each other", withFunctions([call("F1"), call("F0")]), { node: "F0 → b" }],
    ["two functions of one name", withFunctions([{}, { name: "F0" }]), { field: "functions" }],
    ["a function with fewer inputs than the call", withFunctions([{ input: [] }]), { node: "call" }],
    ["a function that makes no output", withFunctions([{}]), { node: "call", field: "b" }],
    [
      "functions nested too deep",
      withFunctions(Array.from({ length: 500 }, (_, i) => call(`F${i + 1}`))),
      { code: "unsupported" },
    ],
    [
      "external data outside the folder",
      withTensor({ ...external({ location: "../w.bin" }), name: "w" }),
      { node: "w", field: "external_data" },
    ],
    [
      "external data beyond the file",
      withTensor({ ...external({ location: "w.bin", offset: "60" }), name: "w" }),
      { node: "w", field: "external_data" },
    ],
    [
      "external data of a huge claimed size",
      withTensor({ ...external({ location: "w.bin" }, [2 ** 45]), name: "w" }),
      { node: "w", field: "external_data" },
    ],
    [
      "an offset that is no number",
      withTensor({ ...external({ location: "w.bin", offset: "-8" }), name: "w" }),
      { node: "w", field: "external_data" },
    ],
    ["sparse indices out of range", withSparse({ indices: int64s("", [2], [1, 6]) }), { node: "w", field: "indices" }],
    ["sparse indices out of order", withSparse({ indices: int64s("", [2], [5, 1]) }), { node: "w", field: "indices" }],
    [
      "sparse coordinates out of range",
      withSparse({ indices: int64s("", [2, 2], [0, 0, 0, 3]) }),
      { node: "w", field: "indices" },
    ],
    ["a sparse tensor without indices", withSparse({ indices: undefined }), { node: "w", field: "indices" }],
    [
      "a sparse tensor of a huge claimed size",
      withSparse({ dims: [2n ** 30n, 2n ** 20n] }),
      { node: "w", field: "dims", code: "unsupported" },
    ],
    ["ToDense with columns out of range", withToDense({ shape: [2, 2] }), { node: "unpack", field: "col_indices" }],
    ["ToDense with too few rows", withToDense({ shape: [1, 3] }), { node: "unpack", field: "crow_indices" }],
    ["ToDense with a huge shape", withToDense({ shape: [2 ** 40, 2 ** 40] }), { node: "unpack", field: "shape" }],
    ["ToDense with a negative shape", withToDense({ shape: [-2, -3] }), { node: "unpack", field: "shape" }],
    ["ToDense with a wrong perm", withToDense({ perm: [0, 0] }), { node: "unpack", field: "perm" }],
    ["ToDense with an unknown layout", withToDense({ layout: "lzw" }), { node: "unpack", code: "layout" }],
    [
      "ToDense with an unknown dtype",
      withToDense({ dtype: 77 }),
      { node: "unpack", field: "dtype", code: "unsupported" },
    ],
    [
      "ToDense with parts of another dtype",
      withToDense({}, [...csrParts.slice(0, 2), int64s("s.values", [2], [1, 2])]),
      { field: "values" },
    ],
  ])("%s", (_name, bytes, { code = "invalid-model", ...place }) => {
    const error = failureOf(bytes);
    expect({ code: error.code, ...error.place }).toMatchObject({ code, file: FILE, ...place });
  });

  it("many small sparse tensors that claim to be large", () => {
    const sparseInitializer = Array.from({ length: 200 }, (_, i) => ({
      dims: [2n ** 23n],
      values: int64s(`w${i}`, [1], [1]),
      indices: int64s("", [1], [0]),
    }));
    expect(failureOf(modelBytes({ sparseInitializer }))).toMatchObject({ code: "unsupported", place: { node: "w2" } });
  });

  it.each([
    ["nodes", 1],
    ["value_info", 13],
    ["sparse initializers", 15],
  ])("millions of empty %s, before they are decoded", (_name, field) => {
    const records = new Uint8Array(2 ** 24).map((_, i) => (i % 2 === 0 ? (field << 3) | 2 : 0));
    expect(failureOf(asGraph(records)).code).toBe("unsupported");
  });

  it("hundreds of millions of numbers, before they are decoded", () => {
    const count = 2 ** 26;
    const dims = Uint8Array.from([0x2a, ...varint(count + 1 + varint(count).length), 0x3a, ...varint(count)]);
    const bytes = new Uint8Array(dims.length + count);
    bytes.set(dims);
    expect(failureOf(asGraph(bytes)).code).toBe("unsupported");
  });

  it("calls that repeat long attributes", () => {
    const long = { name: "k", type: Type.INTS, ints: Array(100_000).fill(1n) };
    const body = { input: ["a"], output: [], node: [node("Pad", ["a"], ["t"], { attribute: [long] })] };
    const calls = Array.from({ length: 5000 }, () => node("F0", ["x"], [], { domain: "local" }));
    const functions = [{ ...body, name: "F0", domain: "local", opsetImport: imports }];
    const bytes = modelBytes({ input: [info("x", [2])], output: [], node: calls }, { opsetImport: imports, functions });
    expect(readModel(bytes).graph.nodes).toHaveLength(5000);
  });

  it("subgraphs nested deeper than any model", () => {
    expect(readModel(modelBytes(nested(30))).graph.nodes).toHaveLength(1);
    expect(failureOf(modelBytes(nested(40))).code).toBe("invalid-model");
    expect(failureOf(modelBytes(nested(1000))).code).toBe("invalid-model");
  });

  it("long chains of nodes, in any order", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => node("Relu", [i === 0 ? "x" : `v${i}`], [`v${i + 1}`]));
    expect(readModel(withNodes(...chain)).graph.nodes).toHaveLength(20_000);
    const { graph } = readModel(withNodes(...chain.reverse()));
    expect(graph.nodes[0]?.inputs[0]).toBe(graph.inputs[0]);
  });
});
