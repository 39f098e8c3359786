import { describe, expect, it } from "vitest";
import { ints, nestedOf, nodeOf, tensor } from "../../../test/support/run-operator.js";
import { type Dim, type Graph, GraphBuilder, type Node, type Value, type ValueType } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { evaluateGraph, evaluateNode, inferNode, type Operand, operators } from "../index.js";

const run = (node: Node, inputs: readonly (Tensor | null)[], outer?: (value: Value) => Tensor | undefined): unknown[] =>
  evaluateNode(node, inputs, operators, {
    run: (graph, feeds) => evaluateGraph(graph, feeds, operators, outer),
  }).map(nestedOf);

/** Infers a node; subgraphs here have no captures and no constants that matter to shapes. */
function infer(node: Node, operands: readonly (Operand | null)[]): readonly (readonly Dim[] | null)[] {
  const inferGraph = (graph: Graph, inputs: readonly Operand[]): ValueType[] => {
    const known = new Map<Value, Operand>(graph.inputs.map((input, i) => [input, inputs[i]!]));
    for (const [value, constant] of graph.constants) known.set(value, { type: constant, value: constant as Tensor });
    for (const inner of graph.nodes) {
      const types = inferNode(
        inner,
        inner.inputs.map((input) => known.get(input!)!),
        operators,
        { infer: inferGraph },
      );
      inner.outputs.forEach((output, i) => {
        known.set(output!, { type: types[i]! });
      });
    }
    return graph.outputs.map((output) => known.get(output)!.type);
  };
  return inferNode(node, operands, operators, { infer: inferGraph }).map((type) => type.shape);
}

const scalar = (value: number, dtype: "int64" | "bool" | "float32" = "int64"): Tensor => Tensor.scalar(dtype, value);
const known = (value: Tensor): Operand => ({ type: value, value });

/** Carries a sum: [i, going, sum] to [sum < 10, sum + i, sum]. */
function summing(): Graph {
  const b = new GraphBuilder("body");
  const i = b.input("i", "int64", []);
  b.input("going", "bool", []);
  const sum = b.input("sum", "int64", []);
  const next = b.add("Add", [sum, i]);
  b.output(b.add("Less", [next, b.constant(scalar(10))]));
  b.output(next);
  b.output(b.add("Identity", [sum]));
  const graph = b.build();
  graph.outputs[2]!.type = { dtype: "int64", shape: [] };
  return graph;
}

/** Carries a list that grows by one each time; the condition is handed through. */
function growing(): Graph {
  const b = new GraphBuilder("body");
  b.input("i", "int64", []);
  const going = b.input("going", "bool", []);
  const list = b.input("list", "int64", ["L"]);
  b.output(b.add("Identity", [going]));
  b.output(b.add("Concat", [list, b.constant(ints(7))], { axis: 0 }));
  b.output(b.add("Identity", [b.constant(ints(1, 2))]));
  return b.build();
}

const loopOf = (body: Graph, outputs = 2): Node =>
  nodeOf("Loop", 3, { body: { kind: "graph", value: body } }, { outputs });

describe("Loop", () => {
  it("runs M times, while the condition holds, or both", () => {
    const loop = loopOf(summing());
    expect(run(loop, [scalar(4), null, scalar(0)])).toEqual([6, [0, 0, 1, 3]]);
    expect(run(loop, [null, scalar(1, "bool"), scalar(0)])).toEqual([10, [0, 0, 1, 3, 6]]);
    expect(run(loop, [scalar(100), scalar(1, "bool"), scalar(5)])).toEqual([11, [5, 5, 6, 8]]);
    expect(run(loop, [scalar(8), null, scalar(9)])).toEqual([37, [9, 9, 10, 12, 15, 19, 24, 30]]);
  });
  it("may run not at all", () => {
    expect(run(loopOf(summing()), [scalar(0), null, scalar(3)])).toEqual([3, []]);
    expect(run(loopOf(summing()), [scalar(5), scalar(0, "bool"), scalar(3)])).toEqual([3, []]);
  });
  it("refuses to run for ever", () => {
    expect(() => run(loopOf(summing()), [null, null, scalar(0)])).toThrow(/never ends/);
  });
  it("carries what changes its shape, and infers that it does", () => {
    const loop = loopOf(growing());
    expect(run(loop, [scalar(3), scalar(1, "bool"), ints(5)])).toEqual([
      [5, 7, 7, 7],
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    ]);
    const going = scalar(1, "bool");
    expect(infer(loop, [known(scalar(3)), known(going), known(ints(5))])).toEqual([
      [expect.stringMatching(/^\?/)],
      [3, 2],
    ]);
    expect(infer(loop, [{ type: scalar(3) }, null, known(ints(5))])[1]).toEqual([expect.stringMatching(/^\?/), 2]);
  });
});

describe("If", () => {
  const branch = (shape: number[]): Graph => {
    const b = new GraphBuilder("branch");
    b.output(b.add("Identity", [b.constant(Tensor.zeros("float32", shape))]));
    return b.build();
  };
  const node = (a: number[], b: number[]): Node =>
    nodeOf("If", 1, {
      then_branch: { kind: "graph", value: branch(a) },
      else_branch: { kind: "graph", value: branch(b) },
    });
  const unknown: Operand = { type: { dtype: "bool", shape: [] } };

  it("runs one branch", () => {
    expect(run(node([2], [3]), [scalar(1, "bool")])).toEqual([[0, 0]]);
    expect(run(node([2], [3]), [scalar(0, "bool")])).toEqual([[0, 0, 0]]);
  });
  it("infers what the branches share, or the branch that is known", () => {
    expect(infer(node([2, 3], [2, 4]), [unknown])).toEqual([[2, expect.stringMatching(/^\?/)]]);
    expect(infer(node([2], [2, 4]), [unknown])).toEqual([null]);
    expect(infer(node([2], [2, 4]), [known(scalar(0, "bool"))])).toEqual([[2, 4]]);
  });
});

describe("Scan", () => {
  /** [sum, x] to [sum + x, sum + x]. */
  const body = (): Graph => {
    const b = new GraphBuilder("body");
    const next = b.add("Add", [b.input("sum", "float32", [2]), b.input("x", "float32", [2])]);
    b.output(next);
    b.output(b.add("Identity", [next]));
    return b.build();
  };
  const node = (attributes: Record<string, readonly number[]>, version = 16, inputs = 2): Node =>
    nodeOf(
      "Scan",
      inputs,
      { body: { kind: "graph", value: body() }, num_scan_inputs: 1, ...attributes },
      { version, outputs: 2 },
    );
  const zero = tensor("float32", [0, 0]);
  const x = tensor("float32", [
    [1, 2, 3],
    [10, 20, 30],
  ]);

  it("scans any axis in either direction, and stacks along any", () => {
    expect(run(node({ scan_input_axes: [1] }), [zero, x])).toEqual([
      [6, 60],
      [
        [1, 10],
        [3, 30],
        [6, 60],
      ],
    ]);
    const back = node({ scan_input_axes: [-1], scan_input_directions: [1], scan_output_axes: [1] });
    expect(run(back, [zero, x])).toEqual([
      [6, 60],
      [
        [3, 5, 6],
        [30, 50, 60],
      ],
    ]);
    const prepended = node({ scan_input_axes: [1], scan_output_directions: [1] });
    expect(run(prepended, [zero, x])[1]).toEqual([
      [6, 60],
      [3, 30],
      [1, 10],
    ]);
    expect(infer(back, [known(zero), known(x)])).toEqual([[2], [2, 3]]);
  });
  it("of opset 8 scans each entry of a batch up to its length", () => {
    const batch = tensor("float32", [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [
        [1, 1],
        [1, 1],
        [1, 1],
      ],
    ]);
    const states = tensor("float32", [
      [0, 0],
      [100, 100],
    ]);
    const old = node({}, 8, 3);
    expect(run(old, [null, states, batch])[0]).toEqual([
      [9, 12],
      [103, 103],
    ]);
    const [last, all] = run(old, [ints(1, 3), states, batch]);
    expect(last).toEqual([
      [1, 2],
      [103, 103],
    ]);
    expect(all).toEqual([
      [
        [1, 2],
        [0, 0],
        [0, 0],
      ],
      [
        [101, 101],
        [102, 102],
        [103, 103],
      ],
    ]);
    expect(infer(old, [null, known(states), known(batch)])).toEqual([
      [2, 2],
      [2, 3, 2],
    ]);
  });
});
