import type { Attributes } from "../attributes.js";

/** An activation that com.microsoft's fused operators name, with its parameters in the order of the ONNX operator's. */
export function fusedActivation(node: Attributes, parameters: readonly number[]): (x: number) => number {
  const name = node.string("activation", "");
  const at = (i: number, fallback: number) => parameters[i] ?? fallback;
  switch (name) {
    case "":
      return (x) => x;
    case "Relu":
      return (x) => Math.max(x, 0);
    case "Tanh":
      return Math.tanh;
    case "Sigmoid":
      return (x) => 1 / (1 + Math.exp(-x));
    case "LeakyRelu": {
      const alpha = at(0, 0.01);
      return (x) => (x >= 0 ? x : alpha * x);
    }
    case "Clip": {
      const [low, high] = [at(0, Number.NEGATIVE_INFINITY), at(1, Number.POSITIVE_INFINITY)];
      return (x) => Math.min(Math.max(x, low), high);
    }
    case "HardSigmoid": {
      const [alpha, beta] = [at(0, 0.2), at(1, 0.5)];
      return (x) => Math.min(Math.max(alpha * x + beta, 0), 1);
    }
    case "Elu": {
      const alpha = at(0, 1);
      return (x) => (x >= 0 ? x : alpha * Math.expm1(x));
    }
    case "Softplus":
      return (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    case "Softsign":
      return (x) => x / (1 + Math.abs(x));
    case "ThresholdedRelu": {
      const alpha = at(0, 1);
      return (x) => (x > alpha ? x : 0);
    }
    case "ScaledTanh": {
      const [alpha, beta] = [at(0, 1), at(1, 1)];
      return (x) => alpha * Math.tanh(beta * x);
    }
    default:
      return node.fail("activation", `'${name}' is no activation that fused operators know`);
  }
}
