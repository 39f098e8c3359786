import type { Attributes } from "../attributes.js";

/** What a fused operator does to its sum before it stores it. Names are ONNX's (FastGelu: com.microsoft's), parameters in ONNX's order. */
export interface Activation {
  readonly name: ActivationName;
  readonly params: readonly number[];
}

export const ACTIVATIONS = [
  "",
  "Relu",
  "Gelu",
  "FastGelu",
  "Swish",
  "Sigmoid",
  "Tanh",
  "HardSwish",
  "HardSigmoid",
  "LeakyRelu",
  "Clip",
] as const;
export type ActivationName = (typeof ACTIVATIONS)[number];

/** Where a fused residual is added: to the activation's input or to its result. */
export type ResidualPosition = "before" | "after";

/** The attributes that all fused operators share: `activation`, `activation_params`, `residual_position`. */
export function epilogueOf(node: Attributes): { activation: Activation; residual: ResidualPosition } {
  return {
    activation: {
      name: node.oneOf("activation", ACTIVATIONS, ""),
      params: node.floats("activation_params", []),
    },
    residual: node.oneOf("residual_position", ["before", "after"], "after"),
  };
}

/** The activation of one number, in double precision. */
export function activateNumber({ name, params }: Activation, x: number): number {
  const [a = 0, b = 0] = params;
  switch (name) {
    case "":
      return x;
    case "Relu":
      return Math.max(x, 0);
    case "Gelu":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "FastGelu":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case "Swish":
      return x / (1 + Math.exp(-x));
    case "Sigmoid":
      return 1 / (1 + Math.exp(-x));
    case "Tanh":
      return Math.tanh(x);
    case "HardSwish":
      return x * Math.max(0, Math.min(1, x / 6 + 0.5));
    case "HardSigmoid":
      return Math.max(0, Math.min(1, a * x + b));
    case "LeakyRelu":
      return x < 0 ? a * x : x;
    case "Clip":
      return Math.min(Math.max(x, a), b);
    default:
      return name satisfies never;
  }
}

/**
 * The error function in double precision: its Maclaurin series near zero, the continued fraction of its complement
 * beyond (Abramowitz and Stegun 7.1.5 and 7.1.14); absolute error below 1e-14.
 */
export function erf(x: number): number {
  const t = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (t > 6) return Math.sign(x);
  if (t < 2.5) {
    let term = t;
    let sum = t;
    for (let n = 1; Math.abs(term) > 1e-17 * sum && n < 100; n++) {
      term *= (-t * t) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let k = 80; k >= 1; k--) fraction = k / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + fraction)));
}
