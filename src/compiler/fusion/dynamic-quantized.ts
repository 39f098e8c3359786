import type { Node, Value } from "../../graph/index.js";
import { Tensor } from "../../tensor/index.js";
import { prune, type Specialized, type Step } from "../specialize.js";
import { type Anchor, fuseEpilogues } from "./epilogue.js";
import { StepIndex, stepOf } from "./index-of-steps.js";

/**
 * Products of dynamically quantized activations with constant 8-bit weights, and what follows them, become ai.nonzero
 * DynamicQuantizedLinear: DynamicQuantizeLinear → MatMulInteger → Cast → Mul as onnxruntime's `quantize_dynamic` writes it, and
 * com.microsoft DynamicQuantizeMatMul. What quantized x for nobody else goes away.
 */
export function fuseDynamicQuantized(spec: Specialized): Specialized {
  const index = new StepIndex(spec);
  const replaced = new Map<Step, Step>();
  const dropped = new Set<Step>();
  for (const step of spec.steps) {
    const found = rescaled(step, index);
    if (found === null) continue;
    for (const part of found.parts) dropped.add(part);
    replaced.set(step, stepOf(productNode(step.node, found)));
  }
  const fused =
    replaced.size === 0
      ? spec
      : prune({
          ...spec,
          steps: spec.steps.filter((step) => !dropped.has(step)).map((step) => replaced.get(step) ?? step),
        });
  return fuseEpilogues(fused, anchorOf);
}

interface Rescaled {
  readonly x: Value;
  readonly weight: Value;
  readonly scale: Value;
  readonly zeroPoint: Value | null;
  /** Steps that nobody reads but the product's own. */
  readonly parts: readonly Step[];
}

/** Mul(Cast(MatMulInteger(q, W, zero)), Mul(x_scale, w_scale)), where q, x_scale and zero come of one DynamicQuantizeLinear. */
function rescaled({ node }: Step, index: StepIndex): Rescaled | null {
  if (!is(node, "Mul")) return null;
  for (const [sums, scales] of [node.inputs, [...node.inputs].reverse()] as [Value, Value][]) {
    const cast = index.producer(sums);
    if (!cast || !is(cast.node, "Cast") || index.type(sums)?.dtype !== "float32" || !index.soleReader(sums)) continue;
    const levels = cast.node.inputs[0]!;
    const product = index.producer(levels);
    if (!product || !is(product.node, "MatMulInteger") || !index.soleReader(levels)) continue;
    const [q, weight, xZero, wZero] = product.node.inputs;
    const quantized = q && index.producer(q);
    const factor = index.producer(scales);
    if (!quantized || !is(quantized.node, "DynamicQuantizeLinear") || quantized.node.outputs[0] !== q) continue;
    if (xZero !== quantized.node.outputs[2] || !factor || !is(factor.node, "Mul")) continue;
    const [a, b] = factor.node.inputs as [Value, Value];
    const [dynamic, fixed] = a === quantized.node.outputs[1] ? [a, b] : [b, a];
    if (dynamic !== quantized.node.outputs[1] || !isVector(fixed, weight!, index)) continue;
    if (!index.spec.constants.has(weight!) || (wZero && !(index.spec.constants.get(wZero) instanceof Tensor))) continue;
    if (index.shapeOf(node.outputs[0]!) !== index.shapeOf(levels)) continue;
    const x = quantized.node.inputs[0]!;
    return { x, weight: weight!, scale: fixed, zeroPoint: wZero ?? null, parts: [cast, product] };
  }
  return null;
}

/** A float32 constant of one number or one for each of the weight's outputs. */
function isVector(value: Value, weight: Value, index: StepIndex): boolean {
  const constant = index.spec.constants.get(value);
  const shape = index.type(weight)!.shape;
  if (!(constant instanceof Tensor) || constant.dtype !== "float32" || shape.length !== 2) return false;
  return constant.size === 1 || (constant.size === shape[1] && constant.shape.at(-1) === shape[1]);
}

const is = (node: Node, op: string): boolean => node.op === op && node.domain === "";

const productNode = (last: Node, { x, weight, scale, zeroPoint }: Rescaled): Node => ({
  ...last,
  op: "DynamicQuantizeMatMul",
  domain: "com.microsoft",
  version: 1,
  inputs: [x, weight, scale, zeroPoint],
  attributes: new Map(),
});

function anchorOf(node: Node, index: StepIndex): Anchor | null {
  if (node.op !== "DynamicQuantizeMatMul" || node.domain !== "com.microsoft") return null;
  const [x, weight, scale, zeroPoint, bias] = node.inputs;
  const { constants } = index.spec;
  if (!x || !weight || !scale || index.type(x)!.shape.length < 2 || index.type(weight)!.shape.length !== 2) return null;
  if (!constants.has(weight) || !isVector(scale, weight, index)) return null;
  if ([zeroPoint, bias].some((value) => value && !(constants.get(value) instanceof Tensor))) return null;
  return {
    op: "DynamicQuantizedLinear",
    inputs: [x, weight, bias ?? null],
    more: [scale, zeroPoint ?? null],
    attributes: new Map(),
    biasAxis: 1,
  };
}
