import { type Graph, GraphBuilder, type Model } from "../../src/graph/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "./random.js";

export const modelOf = (graph: Graph): Model => ({
  graph,
  opsets: new Map([["", 21]]),
  irVersion: 10,
  producer: "",
  metadata: new Map(),
});

/** Uniform numbers from -1 to 1, the same for the same seed. */
export const noise = (shape: readonly number[], seed: number): Tensor => randomTensor(randomSource(seed), shape);

/** x [n, 16] → relu(x · fc1 [16, 32]) · fc2 [32, 8] → y [n, 8]. */
export function perceptron(seed = 1): Model {
  const b = new GraphBuilder("perceptron");
  const x = b.input("x", "float32", ["n", 16]);
  const hidden = b.add("MatMul", [x, b.constant(noise([16, 32], seed), "fc1.weight")], {}, { name: "/fc1/MatMul" });
  const relu = b.add("Relu", [hidden], {}, { name: "/act/Relu" });
  const y = b.add("MatMul", [relu, b.constant(noise([32, 8], seed + 1), "fc2.weight")], {}, { name: "/fc2/MatMul" });
  y.type = { dtype: "float32", shape: ["n", 8] };
  b.output(y, "y");
  return modelOf(b.build());
}
