import { type Attribute, attributesOf, type Node, type Value } from "../../graph/index.js";
import { ACTIVATIONS, type ActivationName } from "../../ops/fused/activation.js";
import { Tensor } from "../../tensor/index.js";
import type { Specialized, Step } from "../specialize.js";
import { StepIndex, stepOf } from "./index-of-steps.js";

/** A producer that can take an epilogue: what it becomes, and how a vector of biases lies against its result. */
export interface Anchor {
  /** The fused operator: "Linear" or "Conv". */
  readonly op: string;
  readonly inputs: readonly [x: Value, w: Value, bias: Value | null];
  /** What the fused operator reads besides, behind its residual. */
  readonly more?: readonly (Value | null)[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Axis of the result, counted from the back, along which its bias runs: 1 for Linear, the spatial rank + 1 for Conv. */
  readonly biasAxis: number;
}

interface Epilogue {
  bias: Value | null;
  activation: ActivationName;
  params: readonly number[];
  residual: Value | null;
  position: "before" | "after";
  last: Step;
}

/**
 * Fuses what follows each anchor into it: a bias, an activation and a residual of the result's shape, each read by nobody else.
 * The fused node takes the place of the last one that it replaces.
 */
export function fuseEpilogues(
  spec: Specialized,
  anchorOf: (node: Node, index: StepIndex) => Anchor | null,
): Specialized {
  const index = new StepIndex(spec);
  const dropped = new Set<Step>();
  const replaced = new Map<Step, Step>();
  for (const step of spec.steps) {
    if (dropped.has(step) || replaced.has(step)) continue;
    const anchor = anchorOf(step.node, index);
    if (anchor === null) continue;
    const epilogue = gather(step, anchor, index, dropped, replaced);
    replaced.set(epilogue.last, stepOf(fusedNode(step, anchor, epilogue)));
  }
  const steps = spec.steps.filter((step) => !dropped.has(step)).map((step) => replaced.get(step) ?? step);
  return { ...spec, steps };
}

function gather(
  start: Step,
  anchor: Anchor,
  index: StepIndex,
  dropped: Set<Step>,
  replaced: ReadonlyMap<Step, Step>,
): Epilogue {
  const epilogue: Epilogue = {
    bias: anchor.inputs[2],
    activation: "",
    params: [],
    residual: null,
    position: "after",
    last: start,
  };
  for (;;) {
    const value = epilogue.last.node.outputs[0]!;
    const next = index.soleReader(value);
    const taken = next === undefined || replaced.has(next) || dropped.has(next);
    if (taken || !absorb(next, value, anchor, epilogue, index)) return epilogue;
    dropped.add(epilogue.last);
    epilogue.last = next;
  }
}

/** Takes one more node into the epilogue; false when it does not belong there. */
function absorb({ node }: Step, value: Value, anchor: Anchor, epilogue: Epilogue, index: StepIndex): boolean {
  if (node.domain !== "" || index.shapeOf(node.outputs[0]!) !== index.shapeOf(value)) return false;
  if (node.op === "Add") {
    const other = node.inputs[0] === value ? node.inputs[1]! : node.inputs[0]!;
    if (other === value) return false;
    const fresh = epilogue.residual === null;
    if (fresh && epilogue.bias === null && epilogue.activation === "" && isBias(other, value, anchor, index)) {
      epilogue.bias = other;
      return true;
    }
    if (fresh && index.shapeOf(other) === index.shapeOf(value) && index.type(other)?.dtype === "float32") {
      epilogue.residual = other;
      epilogue.position = epilogue.activation === "" ? "before" : "after";
      return true;
    }
    return false;
  }
  if (epilogue.activation !== "" || (epilogue.residual !== null && epilogue.position === "after")) return false;
  const activation = activationOf(node, index.spec);
  if (activation === null) return false;
  epilogue.activation = activation.name;
  epilogue.params = activation.params;
  return true;
}

/** True for a constant vector that runs along the result's bias axis: [N], [1, …, N, 1…]. */
function isBias(other: Value, result: Value, anchor: Anchor, index: StepIndex): boolean {
  const constant = index.spec.constants.get(other);
  const shape = index.type(result)!.shape;
  const axis = shape.length - anchor.biasAxis;
  if (!(constant instanceof Tensor) || constant.dtype !== "float32" || constant.size !== shape[axis]) return false;
  const at = constant.shape.length - anchor.biasAxis;
  return at >= 0 && constant.shape[at] === shape[axis] && constant.shape.length <= shape.length;
}

const PLAIN = new Set<string>(
  ACTIVATIONS.filter((name) => !["", "Gelu", "FastGelu", "Swish", "HardSigmoid", "LeakyRelu", "Clip"].includes(name)),
);

/** The activation that a node is, where an epilogue can do it. */
function activationOf(node: Node, spec: Specialized): { name: ActivationName; params: readonly number[] } | null {
  const float = (name: string, fallback: number): number => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "float" || attribute?.kind === "int" ? attribute.value : fallback;
  };
  if (PLAIN.has(node.op)) return { name: node.op as ActivationName, params: [] };
  switch (node.op) {
    case "Swish":
      return float("alpha", 1) === 1 ? { name: "Swish", params: [] } : null;
    case "Gelu": {
      const approximate = node.attributes.get("approximate");
      return { name: approximate?.value === "tanh" ? "FastGelu" : "Gelu", params: [] };
    }
    case "HardSigmoid":
      return { name: "HardSigmoid", params: [float("alpha", 0.2), float("beta", 0.5)] };
    case "LeakyRelu":
      return { name: "LeakyRelu", params: [float("alpha", 0.01)] };
    case "Clip": {
      const bound = (i: number, name: string, fallback: number): number | null => {
        const input = node.inputs[i];
        if (!input) return float(name, fallback);
        const constant = spec.constants.get(input);
        return constant instanceof Tensor ? constant.item() : null;
      };
      const low = bound(1, "min", Number.NEGATIVE_INFINITY);
      const high = bound(2, "max", Number.POSITIVE_INFINITY);
      return low === null || high === null ? null : { name: "Clip", params: [low, high] };
    }
    default:
      return null;
  }
}

function fusedNode(start: Step, { op, inputs, more = [], attributes }: Anchor, epilogue: Epilogue): Node {
  const operands: (Value | null)[] = [inputs[0], inputs[1]];
  if (epilogue.bias !== null || epilogue.residual !== null) operands.push(epilogue.bias);
  if (epilogue.residual !== null) operands.push(epilogue.residual);
  if (more.length > 0) operands.splice(2, 2, epilogue.bias, epilogue.residual, ...more);
  const extra = attributesOf({
    activation: epilogue.activation,
    activation_params: { kind: "floats", value: epilogue.params },
    residual_position: epilogue.position,
  });
  return {
    op,
    domain: "ai.nonzero",
    version: 1,
    name: start.node.name,
    inputs: operands,
    outputs: epilogue.last.node.outputs,
    attributes: new Map([...attributes, ...extra]),
  };
}
