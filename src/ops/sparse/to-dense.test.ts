import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../graph/index.js";
import { parseLayout, SparseTensor, toMatrix } from "../../layouts/index.js";
import { Tensor } from "../../tensor/index.js";
import { evaluateGraph, inferNode, operators } from "../index.js";

const LAYOUTS = ["csr", "bsr:2x3", "bsr:4x4", "n:m:4:4", "v:n:m:2:4:4"];

/** A graph with one ToDense node that reads the parts as constants. */
function graphOf(sparse: SparseTensor, change: { shape?: readonly number[]; perm?: readonly number[] } = {}) {
  const { stored, shape, perm } = sparse;
  const builder = new GraphBuilder();
  const parts = parseLayout(stored.layout).parts.flatMap((name) => stored.parts[name] ?? []);
  const inputs = parts.map((part) => builder.constant(part));
  const attributes = { layout: stored.layout, shape, perm, dtype: 1, ...change };
  builder.output(builder.add("ToDense", inputs, attributes, { domain: "ai.nonzero", name: "unpack" }));
  return builder.build();
}

const encoded = (text: string, shape: number[], perm: number[], values: "float32" | "int8", numbers: number[]) => {
  const dense = Tensor.from("float32", shape, numbers);
  const matrix = toMatrix(dense, perm);
  const mask = { ...matrix, data: Uint8Array.from(matrix.data, (value) => (value === 0 ? 0 : 1)) };
  return { dense, sparse: new SparseTensor(shape, perm, parseLayout(text).encode(matrix, mask, { values })) };
};

describe("ToDense", () => {
  it("gives back the dense tensor of any layout, rank and order of axes", () => {
    const shapes = fc.constantFrom<[number[], number[]]>(
      [
        [5, 7],
        [0, 1],
      ],
      [
        [5, 7],
        [1, 0],
      ],
      [
        [3, 4, 2, 3],
        [0, 2, 3, 1],
      ],
      [
        [4, 0],
        [0, 1],
      ],
    );
    const numbers = fc.array(fc.constantFrom(0, 0, 1, -2, 0.5), { minLength: 72, maxLength: 72 });
    fc.assert(
      fc.property(shapes, fc.constantFrom(...LAYOUTS), numbers, ([shape, perm], layout, values) => {
        const size = shape.reduce((product, dim) => product * dim, 1);
        const { dense, sparse } = encoded(layout, shape, perm, "float32", values.slice(0, size));
        const graph = graphOf(sparse);
        expect(evaluateGraph(graph, [], operators)).toEqual([dense]);
        const operands = graph.nodes[0]!.inputs.map((input) => ({ type: input!.type! }));
        const context = { infer: () => [] };
        expect(inferNode(graph.nodes[0]!, operands, operators, context)).toEqual([{ dtype: "float32", shape }]);
      }),
    );
  });

  it("multiplies int8 values by the scales of their rows", () => {
    const { dense, sparse } = encoded("csr", [2, 3], [0, 1], "int8", [127, 0, -1, 0, 254, 2]);
    expect(evaluateGraph(graphOf(sparse), [], operators)).toEqual([dense]);
  });

  it("gives int8 codes as int8", () => {
    const matrix = { rows: 2, cols: 4, data: Float32Array.of(127, 0, 0, -128, 0, 1, -1, 0) };
    const mask = { ...matrix, data: Uint8Array.from(matrix.data, (value) => (value === 0 ? 0 : 1)) };
    const stored = parseLayout("n:m:2:4").encode(matrix, mask, { values: "int8", dtype: "int8" });
    const graph = graphOf(new SparseTensor([4, 2], [1, 0], stored), { dtype: 3 } as object);
    const expected = Tensor.from("int8", [4, 2], [127, 0, 0, 1, 0, -1, -128, 0]);
    expect(evaluateGraph(graph, [], operators)).toEqual([expected]);
    const operands = graph.nodes[0]!.inputs.map((input) => ({ type: input!.type! }));
    const types = inferNode(graph.nodes[0]!, operands, operators, { infer: () => [] });
    expect(types).toEqual([{ dtype: "int8", shape: [4, 2] }]);
  });

  it("checks what it is given", () => {
    const { sparse } = encoded("csr", [2, 3], [0, 1], "float32", [1, 0, 2, 0, 0, 3]);
    const errors: [object, string][] = [
      [{ shape: [2, 2] }, "node 'unpack', field 'col_indices': entry 1 is 2, not below 2"],
      [{ shape: [] }, "node 'unpack', field 'shape'"],
      [{ perm: [1, 1] }, "node 'unpack', field 'perm': [1,1] does not permute the axes of shape [2,3]"],
    ];
    for (const [change, message] of errors) {
      expect(() => evaluateGraph(graphOf(sparse, change), [], operators)).toThrow(message);
    }
  });
});
