import { expect } from "vitest";
import { installNodeHost } from "../../src/backends/wasm/host.node.js";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { Executor, fuse, optimize, referencePlans, type Specialized, specialize } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder, type Value } from "../../src/graph/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { isFloat, Tensor } from "../../src/tensor/index.js";

installNodeHost();

/** Elementwise operators that the property tests call fusible. */
const ELEMENTWISE = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Relu",
  "Tanh",
  "Sigmoid",
  "Neg",
  "Exp",
  "Abs",
  "Where",
  "Greater",
]);

/** What a device is given for these feeds: the graph optimized, specialized and fused. */
export function fusedSteps(graph: Graph, feeds: readonly Tensor[]): Specialized {
  const optimized = optimize(graph);
  const spec = specialize(
    optimized,
    feeds.map(({ dtype, shape }) => ({ type: { dtype, shape } })),
  );
  return fuse(spec, ({ op, domain }) => domain === "" && ELEMENTWISE.has(op));
}

/** Operators of the fused steps, in order, without Reshapes (which move nothing). */
export const fusedOps = (graph: Graph, feeds: readonly Tensor[]): string[] =>
  fusedSteps(graph, feeds)
    .steps.map(({ node }) =>
      node.domain === "" || node.domain === "ai.nonzero" ? node.op : `${node.domain}.${node.op}`,
    )
    .filter((op) => op !== "Reshape");

/** The fused graph's results, each operator by its evaluation. */
export function runFused(graph: Graph, feeds: readonly Tensor[]): Tensor[] {
  const spec = fusedSteps(graph, feeds);
  const never = (): never => {
    throw new Error("the graph has no subgraphs");
  };
  const run = (inner: Graph, inputs: readonly Tensor[]): Tensor[] => evaluateGraph(inner, inputs, operators);
  return referencePlans.plan(spec, { runSubgraph: (inner, inputs) => run(inner, inputs) ?? never() }).run(feeds);
}

let session: Session | undefined;

/** The results on the WebAssembly device. */
export function runWasm(graph: Graph, feeds: readonly Tensor[]): Tensor[] {
  session ??= new Session(detectDevice(1));
  const executor = new Executor(optimize(graph), session);
  const results = executor.run(feeds);
  executor.release();
  return results;
}

export const evaluate = (graph: Graph, feeds: readonly Tensor[]): Tensor[] => evaluateGraph(graph, feeds, operators);

/**
 * Expects equal shapes, and elements that differ by at most `roundings` units in the last place of float32 of the largest: what the
 * longest chain of float32 sums in the graph may lose when it is summed in another order.
 */
export function expectClose(actual: readonly Tensor[], expected: readonly Tensor[], roundings: number): void {
  expect(actual.map(({ dtype, shape }) => `${dtype}[${shape}]`)).toEqual(
    expected.map(({ dtype, shape }) => `${dtype}[${shape}]`),
  );
  expected.forEach((tensor, i) => {
    const [a, b] = [actual[i]!.numbers(), tensor.numbers()];
    const largest = Math.max(1, ...Array.from(b, Math.abs));
    const allowed = isFloat(tensor.dtype) ? roundings * 2 ** -23 * largest : 0;
    for (let k = 0; k < b.length; k++) {
      const same = Object.is(a[k], b[k]) || (Number.isNaN(a[k]!) && Number.isNaN(b[k]!));
      if (!same && !(Math.abs(a[k]! - b[k]!) <= allowed)) {
        expect.fail(`output ${i}, element ${k} is ${a[k]}, not ${b[k]} ± ${allowed}`);
      }
    }
  });
}

/** Builds graphs of ONNX's primitives in few words. */
export class Primitives extends GraphBuilder {
  floats(shape: readonly number[], values: ArrayLike<number>): Value {
    return this.constant(Tensor.from("float32", shape, values));
  }
  scalar(value: number): Value {
    return this.constant(Tensor.scalar("float32", value));
  }
  ints(...values: number[]): Value {
    return this.constant(Tensor.from("int64", [values.length], values));
  }
  reshape(x: Value, ...shape: number[]): Value {
    return this.add("Reshape", [x, this.ints(...shape)]);
  }
  transpose(x: Value, ...perm: number[]): Value {
    return this.add("Transpose", [x], { perm });
  }
  slice(x: Value, axis: number, start: number, end: number, step = 1): Value {
    return this.add("Slice", [x, this.ints(start), this.ints(end), this.ints(axis), this.ints(step)]);
  }
  concat(axis: number, ...parts: Value[]): Value {
    return this.add("Concat", parts, { axis });
  }
}
