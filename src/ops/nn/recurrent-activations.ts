import type { Attributes } from "../attributes.js";

export type Activation = (x: number) => number;

interface ActivationKind {
  /** Defaults of alpha and beta; absent where the function has no such parameter. */
  readonly alpha?: number;
  readonly beta?: number;
  make(alpha: number, beta: number): Activation;
}

/** The activation functions of ONNX's recurrent operators, by lower-case name. */
const KINDS: Readonly<Record<string, ActivationKind>> = {
  relu: { make: () => (x) => Math.max(x, 0) },
  tanh: { make: () => Math.tanh },
  sigmoid: { make: () => (x) => 1 / (1 + Math.exp(-x)) },
  affine: { alpha: 1, beta: 0, make: (alpha, beta) => (x) => alpha * x + beta },
  leakyrelu: { alpha: 0.01, make: (alpha) => (x) => (x >= 0 ? x : alpha * x) },
  thresholdedrelu: { alpha: 1, make: (alpha) => (x) => (x >= alpha ? x : 0) },
  scaledtanh: { alpha: 1, beta: 1, make: (alpha, beta) => (x) => alpha * Math.tanh(beta * x) },
  hardsigmoid: { alpha: 0.2, beta: 0.5, make: (alpha, beta) => (x) => Math.min(Math.max(alpha * x + beta, 0), 1) },
  elu: { alpha: 1, make: (alpha) => (x) => (x >= 0 ? x : alpha * Math.expm1(x)) },
  softsign: { make: () => (x) => x / (1 + Math.abs(x)) },
  softplus: { make: () => (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) },
};

/**
 * The node's activation functions, one list of `defaults.length` for each direction. activation_alpha and activation_beta
 * are consumed in order by the functions that have such a parameter; those left over take the defaults.
 */
export function recurrentActivations(
  node: Attributes,
  defaults: readonly string[],
  directions: number,
): readonly (readonly Activation[])[] {
  const repeated = Array.from({ length: directions }, () => defaults).flat();
  const given = node.strings("activations", []);
  const names = given.length === 0 ? repeated : given;
  if (names.length !== repeated.length)
    node.fail("activations", `expected ${repeated.length} functions, found ${names.length}`);
  const alphas = [...node.floats("activation_alpha", [])];
  const betas = [...node.floats("activation_beta", [])];
  const functions = names.map((name) => {
    const kind = KINDS[name.toLowerCase()];
    if (kind === undefined) node.fail("activations", `'${name}' is no activation function`);
    const alpha = kind.alpha === undefined ? 0 : (alphas.shift() ?? kind.alpha);
    const beta = kind.beta === undefined ? 0 : (betas.shift() ?? kind.beta);
    return kind.make(alpha, beta);
  });
  return Array.from({ length: directions }, (_, d) => functions.slice(d * defaults.length, (d + 1) * defaults.length));
}
