import { describe, expect, test } from "vitest";
import { noise, modelOf as whole } from "../../test/support/small-models.js";
import { type Attribute, type Graph, GraphBuilder, type Model, type Value } from "../graph/index.js";
import { Runner } from "../runtime/index.js";
import { Tensor } from "../tensor/index.js";
import {
  applyFakeSparsity,
  applySparse,
  constantNodesToConstants,
  selectLayers,
  type Weight,
  weightsOf,
} from "./index.js";

/** A model of whatever `body` builds on x. */
function modelOf(shape: (number | string)[], body: (b: GraphBuilder, x: Value) => Value): Model {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", shape);
  b.output(body(b, x), "y");
  return whole(b.build());
}

const facts = ({ name, kind, rows, cols, perm, tied }: Weight) => ({ name, kind, rows, cols, perm: perm.join(), tied });
const weights = (model: Model) => weightsOf(model).map(facts);
const linear = (rows: number, cols: number, perm: string) => [
  { name: "w", kind: "linear", rows, cols, perm, tied: false },
];
const graphAttribute = (value: Graph): Attribute => ({ kind: "graph", value });

describe("which constants are weights, and how their nodes see them", () => {
  const w = (b: GraphBuilder, shape: number[], dtype: "float32" | "float16" | "int8" = "float32") =>
    b.constant(noise(shape, 1).to(dtype), "w");
  test.each<[string, Model, object[]]>([
    ["MatMul, right", modelOf(["n", 8], (b, x) => b.add("MatMul", [x, w(b, [8, 3])])), linear(3, 8, "1,0")],
    ["MatMul, left", modelOf([8, "n"], (b, x) => b.add("MatMul", [w(b, [3, 8]), x])), linear(3, 8, "0,1")],
    ["MatMul, float16", modelOf([1, 8], (b, x) => b.add("MatMul", [x, w(b, [8, 3], "float16")])), linear(3, 8, "1,0")],
    ["Gemm", modelOf([1, 8], (b, x) => b.add("Gemm", [x, w(b, [8, 3])])), linear(3, 8, "1,0")],
    ["Gemm transB", modelOf([1, 8], (b, x) => b.add("Gemm", [x, w(b, [3, 8])], { transB: 1 })), linear(3, 8, "0,1")],
    ["Gemm, left", modelOf([8, 1], (b, x) => b.add("Gemm", [w(b, [3, 8]), x])), linear(3, 8, "0,1")],
    [
      "Gemm, left, transA",
      modelOf([8, 1], (b, x) => b.add("Gemm", [w(b, [8, 3]), x], { transA: 1 })),
      linear(3, 8, "1,0"),
    ],
    [
      "FusedMatMul transB",
      modelOf([1, 8], (b, x) => b.add("FusedMatMul", [x, w(b, [3, 8])], { transB: 1 }, { domain: "com.microsoft" })),
      linear(3, 8, "0,1"),
    ],
    [
      "Conv 1d",
      modelOf([1, 4, 9], (b, x) => b.add("Conv", [x, w(b, [6, 4, 3])])),
      [{ name: "w", kind: "conv", rows: 6, cols: 12, perm: "0,2,1", tied: false }],
    ],
    [
      "Conv 2d, grouped",
      modelOf([1, 8, 9, 9], (b, x) => b.add("Conv", [x, w(b, [6, 4, 3, 3])], { group: 2 })),
      [{ name: "w", kind: "conv", rows: 6, cols: 36, perm: "0,2,3,1", tied: false }],
    ],
    [
      "Conv of one channel, not depthwise",
      modelOf([1, 1, 9], (b, x) => b.add("Conv", [x, w(b, [6, 1, 3])])),
      [{ name: "w", kind: "conv", rows: 6, cols: 3, perm: "0,2,1", tied: false }],
    ],
    [
      "Conv, depthwise",
      modelOf([1, 6, 9], (b, x) => b.add("Conv", [x, w(b, [6, 1, 3])], { group: 6 })),
      [{ name: "w", kind: "depthwise", rows: 6, cols: 3, perm: "0,2,1", tied: false }],
    ],
    [
      "Gather's table",
      modelOf([2], (b, x) => b.add("Gather", [w(b, [10, 4]), b.add("Cast", [x], { to: 7 })])),
      [{ name: "w", kind: "embedding", rows: 10, cols: 4, perm: "0,1", tied: false }],
    ],
    [
      "a table that is also the output's projection, through a Transpose",
      modelOf([2], (b, x) => {
        const table = w(b, [10, 4]);
        const rows = b.add("Gather", [table, b.add("Cast", [x], { to: 7 })]);
        return b.add("MatMul", [rows, b.add("Transpose", [table], { perm: [1, 0] })]);
      }),
      [{ name: "w", kind: "linear", rows: 10, cols: 4, perm: "0,1", tied: true }],
    ],
    [
      "a Transpose without perm",
      modelOf([1, 8], (b, x) => b.add("MatMul", [x, b.add("Transpose", [w(b, [3, 8])])])),
      linear(3, 8, "0,1"),
    ],
    [
      "two layers that share a weight the same way",
      modelOf([1, 8], (b, x) => {
        const shared = w(b, [8, 8]);
        return b.add("MatMul", [b.add("MatMul", [x, shared]), shared]);
      }),
      linear(8, 8, "1,0"),
    ],
    [
      "two layers that share it, one turned",
      modelOf([1, 8], (b, x) => {
        const shared = w(b, [8, 8]);
        return b.add("Gemm", [b.add("MatMul", [x, shared]), shared], { transB: 1 });
      }),
      [{ name: "w", kind: "linear", rows: 8, cols: 8, perm: "1,0", tied: true }],
    ],
    ["integers", modelOf([1, 8], (b, x) => b.add("MatMul", [x, w(b, [8, 3], "int8")])), []],
    [
      "vectors and batches",
      modelOf([1, 8], (b, x) => b.add("MatMul", [b.add("MatMul", [x, w(b, [2, 8, 3])]), b.constant(noise([3], 2))])),
      [],
    ],
    ["a bias", modelOf([1, 8], (b, x) => b.add("Add", [x, w(b, [1, 8])])), []],
    [
      "MatMulNBits, quantized by others",
      modelOf([1, 32], (b, x) =>
        b.add(
          "MatMulNBits",
          [x, b.constant(Tensor.zeros("uint8", [3, 1, 16])), b.constant(noise([3], 1))],
          { K: 32, N: 3, bits: 4, block_size: 32 },
          { domain: "com.microsoft" },
        ),
      ),
      [],
    ],
    [
      "an operator of that name of another domain",
      modelOf([1, 9, 9, 4], (b, x) => b.add("Conv", [x, w(b, [6, 4, 3, 3])], {}, { domain: "com.ms.internal.nhwc" })),
      [],
    ],
  ])("%s", (_, model, expected) => {
    expect(weights(model)).toEqual(expected);
  });

  test("Constant nodes count once they are constants", () => {
    const model = modelOf([1, 8], (b, x) =>
      b.add("MatMul", [x, b.add("Constant", [], { value: noise([8, 3], 1) }, { name: "c" })]),
    );
    expect(weights(model)).toEqual([]);
    expect(weights(constantNodesToConstants(model))).toEqual([{ ...linear(3, 8, "1,0")[0], name: "c" }]);
  });
});

/** y = x · w in either branch of an If, and in a Loop's body with a weight of its own. */
function branching(): { model: Model; w: Value } {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", [1, 8]);
  const condition = b.input("condition", "bool", []);
  const w = b.constant(noise([8, 8], 1), "w");
  const branch = (name: string): Graph => {
    const inner = new GraphBuilder(name);
    inner.output(inner.add("MatMul", [x, w], {}, { name: `/${name}/MatMul` }), name);
    return inner.build();
  };
  const chosen = b.add("If", [condition], {
    then_branch: graphAttribute(branch("yes")),
    else_branch: graphAttribute(branch("no")),
  });
  const body = new GraphBuilder("body");
  body.input("i", "int64", []);
  const going = body.input("going", "bool", []);
  const state = body.input("state", "float32", [1, 8]);
  const next = body.add("MatMul", [state, body.constant(noise([8, 8], 2), "loop.w")], {}, { name: "/loop/MatMul" });
  body.output(body.add("Identity", [going]));
  body.output(next);
  const [y] = b.addMany("Loop", [b.constant(new Tensor("int64", [], BigInt64Array.of(3n))), null, chosen], 1, {
    body: graphAttribute(body.build()),
  });
  y!.type = { dtype: "float32", shape: [1, 8] };
  b.output(y!, "y");
  return { model: whole(b.build()), w };
}

describe("subgraphs", () => {
  test("a weight of both branches is one; a body's own is found", () => {
    const found = weightsOf(branching().model);
    expect(found.map(({ name, nodes }) => ({ name, nodes }))).toEqual([
      { name: "w", nodes: ["/yes/MatMul", "/no/MatMul"] },
      { name: "loop.w", nodes: ["/loop/MatMul"] },
    ]);
  });
  test("are pruned where they are, the original untouched", async () => {
    const { model, w } = branching();
    const before = [...(model.graph.constants.get(w) as Tensor).numbers()];
    const feeds = { x: noise([1, 8], 5), condition: new Tensor("bool", [], Uint8Array.of(1)) };
    const run = (m: Model): number[] => [...new Runner(m, { device: "reference" }).run(feeds).y!.numbers()];
    const sparse = await applySparse(model, { pattern: "2:4" });
    const fake = await applyFakeSparsity(model, { pattern: "2:4" });
    expect(sparse.weights.map(({ sparsity }) => sparsity)).toEqual([0.5, 0.5]);
    expect(run(sparse.model)).toEqual(run(fake.model));
    expect(run(fake.model)).not.toEqual(run(model));
    expect([...(model.graph.constants.get(w) as Tensor).numbers()]).toEqual(before);
  });
});

describe("selectLayers", () => {
  const model = modelOf([2], (b, x) => {
    const table = b.constant(noise([10, 8], 1), "embed.weight");
    const rows = b.add("Gather", [table, b.add("Cast", [x], { to: 7 })], {}, { name: "/embed/Gather" });
    let y = rows;
    for (const layer of ["0", "1"]) {
      y = b.add(
        "MatMul",
        [y, b.constant(noise([8, 8], 2), `layers.${layer}.fc.weight`)],
        {},
        { name: `/layers.${layer}/fc/MatMul` },
      );
      y = b.add(
        "MatMul",
        [y, b.constant(noise([8, 8], 3), `onnx::MatMul_${layer}[x]`)],
        {},
        { name: `/layers.${layer}/out/MatMul` },
      );
    }
    return b.add("MatMul", [y, b.add("Transpose", [table])], {}, { name: "/head/MatMul" });
  });
  const names = (selection: Parameters<typeof selectLayers>[1]) =>
    selectLayers(model, selection).map(({ name }) => name);
  const inner = ["layers.0.fc.weight", "onnx::MatMul_0[x]", "layers.1.fc.weight", "onnx::MatMul_1[x]"];
  test.each<[Parameters<typeof selectLayers>[1], string[]]>([
    [{}, inner],
    [{ layers: [] }, inner],
    [{ layers: ["layers.0.fc.weight"] }, [inner[0]!]],
    [{ layers: ["/layers.1/*"] }, inner.slice(2)],
    [{ layers: ["*/fc/*"] }, [inner[0]!, inner[2]!]],
    [{ layers: ["layers.?.fc.weight", "/layers.0/out/MatMul"] }, inner.slice(0, 3)],
    [{ layers: ["onnx::MatMul_1[x]"] }, [inner[3]!]],
    [{ layers: ["*"] }, ["embed.weight", ...inner]],
    [{ layers: ["/head/MatMul"] }, ["embed.weight"]],
    [{ skip: ["*out*"] }, [inner[0]!, inner[2]!]],
    [{ layers: ["*"], skip: ["embed*", "/layers.1/*"] }, inner.slice(0, 2)],
  ])("%j", (selection, expected) => {
    expect(names(selection)).toEqual(expected);
  });
  test("a glob without a match says which option and what there is", () => {
    expect(() => names({ layers: ["fc"] })).toThrow(
      expect.objectContaining({
        code: "not-found",
        place: { field: "layers" },
        message: expect.stringContaining("'embed.weight' (/embed/Gather)"),
      }),
    );
    expect(() => names({ skip: ["layersX0*"] })).toThrow(expect.objectContaining({ place: { field: "skip" } }));
  });
});
