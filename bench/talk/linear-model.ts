import { type Constant, GraphBuilder, type Model } from "../../src/graph/index.js";

/** y0, y1, … [n, m], each x [n, k] by one of the weights [k, m]. */
export function linearModel(weights: readonly Constant[], n: number): Model {
  const [k, m] = weights[0]!.shape as [number, number];
  const b = new GraphBuilder("linear");
  const x = b.input("x", "float32", [n, k]);
  weights.forEach((weight, i) => {
    const y = b.add("MatMul", [x, b.constant(weight, `w${i}`)]);
    y.type = { dtype: "float32", shape: [n, m] };
    b.output(y, `y${i}`);
  });
  return modelOf(b);
}

/** A graph as a model of opset 21, or of a later one. */
export const modelOf = (b: GraphBuilder, opset = 21): Model => ({
  graph: b.build(),
  opsets: new Map([
    ["", opset],
    ["com.microsoft", 1],
  ]),
  irVersion: 10,
  producer: "nonzero bench",
  metadata: new Map(),
});
