import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { describeModel } from "../../../test/support/describe-model.js";
import { NODE_TESTS, nodeTestNames, readNodeTest } from "../../../test/support/node-tests.js";
import { type Attribute, GraphBuilder, type Model, Value } from "../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../layouts/index.js";
import { evaluateGraph, operators } from "../../ops/index.js";
import { DATA_TYPES, type DataType, isFloat, Tensor } from "../../tensor/index.js";
import { readModel, writeModel } from "./index.js";

const MOONSHINE = fileURLToPath(
  new URL("../../../node_modules/@usefulsensors/moonshine-js/dist/model/tiny/float/", import.meta.url),
);
const NOT_INITIALIZED = 4;

const modelOf = (builder: GraphBuilder, opsets: [string, number][] = [["", 21]]): Model => ({
  graph: builder.build(),
  opsets: new Map(opsets),
  irVersion: 8,
  producer: "test",
  metadata: new Map([["key", "wert"]]),
});

/** What was read comes back; only an IR version from before initializers could stand alone is raised. */
function expectSameAgain(model: Model): Uint8Array {
  const bytes = writeModel(model);
  const again = describeModel(readModel(bytes));
  expect(again).toEqual({ ...describeModel(model), irVersion: Math.max(model.irVersion, NOT_INITIALIZED) });
  expect(Buffer.compare(writeModel(readModel(bytes)), bytes)).toBe(0);
  return bytes;
}

describe.skipIf(!existsSync(NODE_TESTS))("round trips of ../shared/data/onnx-node-tests", () => {
  it("read(write(read(x))) is read(x)", () => {
    for (const name of nodeTestNames()) expectSameAgain(readNodeTest(name));
  });
});

describe("round trips", () => {
  it.each(["encoder_model.onnx", "decoder_model_merged.onnx"])(
    "moonshine's %s, which onnxruntime loads",
    async (file) => {
      const model = readModel(readFileSync(MOONSHINE + file), { file });
      const session = await ort.InferenceSession.create(expectSameAgain(model), { graphOptimizationLevel: "disabled" });
      expect(session.inputNames).toEqual(model.graph.inputs.map((input) => input.name));
      expect(session.outputNames).toEqual(model.graph.outputs.map((output) => output.name));
      await session.release();
    },
  );

  const attribute: fc.Arbitrary<Attribute> = fc.oneof(
    fc.record({ kind: fc.constant("int" as const), value: fc.maxSafeInteger() }),
    fc.record({ kind: fc.constant("float" as const), value: fc.float() }),
    fc.record({ kind: fc.constant("string" as const), value: fc.string({ unit: "grapheme" }) }),
    fc.record({ kind: fc.constant("ints" as const), value: fc.array(fc.maxSafeInteger()) }),
    fc.record({ kind: fc.constant("floats" as const), value: fc.array(fc.float()) }),
    fc.record({ kind: fc.constant("strings" as const), value: fc.array(fc.string({ unit: "grapheme" })) }),
  );
  const tensor: fc.Arbitrary<Tensor> = fc
    .tuple(
      fc.constantFrom(...DATA_TYPES),
      fc.array(fc.nat(3), { maxLength: 4 }),
      fc.infiniteStream(fc.integer({ min: -8, max: 7 })),
    )
    .map(([dtype, shape, stream]) => {
      const size = shape.reduce((product, dim) => product * dim, 1);
      return Tensor.from(dtype, shape, [...stream.take(size)]);
    });

  it("any attributes, tensors, metadata and names", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), attribute, { maxKeys: 5 }),
        fc.array(tensor, { minLength: 1, maxLength: 5 }),
        fc.array(fc.constantFrom("", "a", "a_1", "b"), { minLength: 3, maxLength: 3 }),
        (attributes, tensors, names) => {
          const builder = new GraphBuilder("g");
          const x = builder.input(names[0]!, "float32", ["n", 3]);
          const constants = tensors.map((constant) => builder.constant(constant, names[1]));
          const y = builder.add("Custom", [x, null, ...constants], attributes, { domain: "my", name: names[2]! });
          builder.output(y);
          const model = readModel(writeModel(modelOf(builder)));
          const node = model.graph.nodes[0]!;
          expect([...node.attributes]).toEqual(Object.entries(attributes));
          expect(node.inputs.slice(2).map((value) => model.graph.constants.get(value!))).toEqual([...tensors]);
          expect(model.graph.inputs[0]?.name).toBe(names[0] || "value_1");
          expectSameAgain(model);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("raises the IR version to what int4 needs and no further", () => {
    const versionWith = (dtype: DataType): number => {
      const builder = new GraphBuilder();
      builder.output(builder.add("Identity", [builder.constant(Tensor.zeros(dtype, [3]))]));
      return readModel(writeModel(modelOf(builder))).irVersion;
    };
    expect(versionWith("int4")).toBe(10);
    expect(versionWith("float32")).toBe(8);
  });

  it("gives values of one name different names, in subgraphs too", () => {
    const inner = new GraphBuilder("inner");
    const outer = new Value("h");
    const result = inner.add("Neg", [outer], {}, { name: "h" });
    inner.output(result);
    const builder = new GraphBuilder();
    const c = builder.input("c", "bool", []);
    const h = builder.add("Not", [c], {}, { name: "h" });
    const replaced = { ...inner.build(), nodes: [{ ...inner.build().nodes[0]!, inputs: [h] }] };
    builder.output(builder.add("If", [c], { then_branch: { kind: "graph", value: replaced } }));
    const { graph } = readModel(writeModel(modelOf(builder)));
    const branch = graph.nodes[1]!.attributes.get("then_branch")!.value as typeof graph;
    expect(branch.nodes[0]?.inputs[0]).toBe(graph.nodes[0]?.outputs[0]);
    expect(branch.nodes[0]?.outputs[0]?.name).toBe("h_1");
  });

  it("refuses nodes that mean different opsets", () => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", [1]);
    builder.output(builder.add("Neg", [builder.add("Relu", [x], {}, { version: 17 })], {}, { version: 21 }));
    expect(() => writeModel(modelOf(builder, []))).toThrow(/opset 21 of '', the model imports 17/);
  });
});

describe("sparse constants", () => {
  const dense = Tensor.from(
    "float32",
    [8, 4],
    Array.from({ length: 32 }, (_, i) => (i % 4 === 1 || i % 4 === 2 ? (i - 15) / 8 : 0)),
  );
  const sparse = (layoutText: string, perm: number[], values: "float32" | "int8" = "float32") => {
    const matrix = toMatrix(dense, perm);
    const mask = { ...matrix, data: Uint8Array.from(matrix.data, (value) => (value === 0 ? 0 : 1)) };
    return new SparseTensor([8, 4], perm, parseLayout(layoutText).encode(matrix, mask, { values }));
  };
  const modelWith = (constant: SparseTensor): Model => {
    const builder = new GraphBuilder();
    const x = builder.input("x", "float32", ["n", 8]);
    builder.output(builder.add("MatMul", [x, builder.constant(constant, "w")]), "y");
    return modelOf(builder);
  };
  const constantOf = (model: Model) => [...model.graph.constants.values()];
  const x = Tensor.from(
    "float32",
    [2, 8],
    Array.from({ length: 16 }, (_, i) => i / 4),
  );

  it.each([
    ["csr", [1, 0], "float32"],
    ["bsr:2x2", [0, 1], "float32"],
    ["semi-structured", [0, 1], "float32"],
    ["n:m:2:4", [0, 1], "int8"],
    ["v:n:m:2:2:4", [0, 1], "float32"],
  ] as const)("%s with axes %j and %s values comes back as it was", (layout, perm, values) => {
    const constant = sparse(layout, [...perm], values);
    const model = modelWith(constant);
    const again = readModel(writeModel(model));
    expect(constantOf(again)).toEqual([constant]);
    expect(again.graph.nodes).toHaveLength(1);
    expect(again.opsets.get("ai.nonzero")).toBe(1);
    expect(evaluateGraph(again.graph, [x], operators)).toEqual(evaluateGraph(model.graph, [x], operators));
    expectSameAgain(again);
  });

  it("are standard ONNX when written dense or as sparse_initializer", async () => {
    const model = modelWith(sparse("semi-structured", [0, 1]));
    const expected = evaluateGraph(model.graph, [x], operators)[0]!;
    for (const form of ["dense", "initializer"] as const) {
      const bytes = writeModel(model, { sparse: form });
      const session = await ort.InferenceSession.create(bytes);
      const feed = new ort.Tensor("float32", x.data as Float32Array, [...x.shape]);
      const { y } = await session.run({ x: feed });
      // Small multiples of powers of two: every order of the sums is exact.
      expect(y!.data).toEqual(expected.data);
      const again = readModel(bytes);
      expect([...again.opsets.keys()]).toEqual([""]);
      const [constant] = constantOf(again);
      expect(constant instanceof SparseTensor).toBe(form === "initializer");
      expect(constant instanceof SparseTensor ? constant.toDense() : constant).toEqual(dense);
    }
  });

  it("stay in their subgraph, with parts and nodes named after them", () => {
    const inner = new GraphBuilder("inner");
    const builder = new GraphBuilder();
    const c = builder.input("c", "bool", []);
    const input = builder.input("x", "float32", ["n", 8]);
    inner.output(inner.add("MatMul", [input, inner.constant(sparse("csr", [1, 0]), "w")]), "z");
    builder.output(builder.add("If", [c], { then_branch: { kind: "graph", value: inner.build() } }), "y");
    const { graph } = readModel(writeModel(modelOf(builder)));
    expect(graph.constants.size).toBe(0);
    const branch = graph.nodes[0]!.attributes.get("then_branch")!.value as typeof graph;
    const [[value, constant]] = branch.constants as unknown as [[Value, SparseTensor]];
    expect(value.name).toBe("w");
    expect(constant).toEqual(sparse("csr", [1, 0]));
  });

  it("that would take 2 GB as dense tensors are not written so", () => {
    const size = 2 ** 15;
    const parts = {
      crow_indices: Tensor.zeros("uint32", [size + 1]),
      col_indices: Tensor.zeros("uint16", [0]),
      values: Tensor.zeros("float32", [0]),
    };
    const stored = { layout: "csr", rows: size, cols: size, dtype: "float32" as const, parts };
    const model = modelWith(new SparseTensor([size, size], [0, 1], stored));
    expect(() => writeModel(model, { sparse: "dense" })).toThrow(/writeModelFile/);
    expect(writeModel(model).length).toBeLessThan(2 ** 18);
  });

  it("of any kept entries survive sparse_initializer", () => {
    const arbitrary = fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      fc.infiniteStream(fc.nat(3)),
    );
    fc.assert(
      fc.property(arbitrary, fc.constantFrom<DataType>("float32", "float16", "bfloat16"), ([k, n, stream], dtype) => {
        expect(isFloat(dtype)).toBe(true);
        const mask = { rows: n, cols: k, data: Uint8Array.from(stream.take(k * n), (draw) => (draw === 0 ? 1 : 0)) };
        const matrix = { rows: n, cols: k, data: Float32Array.from(mask.data, (_, i) => i - 3) }; // keeps a zero at times
        const values = dtype as "float32";
        const constant = new SparseTensor([k, n], [1, 0], parseLayout("csr").encode(matrix, mask, { values, dtype }));
        const builder = new GraphBuilder();
        const input = builder.input("x", dtype, ["m", k]);
        builder.output(builder.add("MatMul", [input, builder.constant(constant, "w")]));
        expect(constantOf(readModel(writeModel(modelOf(builder), { sparse: "initializer" })))).toEqual([constant]);
      }),
    );
  });
});
