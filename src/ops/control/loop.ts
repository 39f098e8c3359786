import type { Graph, Value, ValueType } from "../../graph/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import { need } from "../infer.js";
import type { Operand, Operator } from "../operator.js";
import { unknownDim } from "../shape/dims.js";
import { mergeTypes, sameType } from "./merge-types.js";
import { stackOutputs } from "./stack-outputs.js";

interface LoopAttributes {
  readonly body: Graph;
  /** The body keeps a condition that was true true. */
  readonly endless: boolean;
}

/**
 * ONNX Loop: runs `body` up to M times (input 0) and while the condition (input 1) holds; either may be left out. The
 * body maps [iteration, condition, carried…] to [condition, carried…, scanned…]; the outputs are the last carried values
 * and the scanned ones of all iterations, stacked along a new first axis.
 */
export const loop: Operator<LoopAttributes> = {
  name: "Loop",
  domain: "",
  shapeInputs: [0, 1],
  attributes(node) {
    const body = node.graph("body");
    const carried = Math.max(0, node.node.inputs.length - 2);
    if (body.inputs.length !== carried + 2 || body.outputs.length < carried + 1)
      node.fail(
        "body",
        `${body.inputs.length} inputs and ${body.outputs.length} outputs for ${carried} carried values`,
      );
    return { body, endless: keepsTrue(body) };
  },
  infer(inputs, { body, endless }, context) {
    const scalars: Operand[] = [{ type: { dtype: "int64", shape: [] } }, { type: { dtype: "bool", shape: [] } }];
    let carried = inputs.slice(2).map((_, i) => need(inputs, i + 2).type);
    let outputs: readonly ValueType[] = [];
    // Types that change between iterations widen, a few times at most: dimension to unknown, then rank to unknown.
    for (let stable = false; !stable; ) {
      outputs = context.infer(body, [...scalars, ...carried.map((type) => ({ type }))]);
      const widened = carried.map((type, i) => (sameType(type, outputs[i + 1]!) ? type : widen(type, outputs[i + 1]!)));
      stable = widened.every((type, i) => type === carried[i]);
      carried = widened;
    }
    const iterations = tripCount(inputs, endless) ?? unknownDim();
    const scanned = outputs.slice(1 + carried.length);
    return [
      ...carried,
      ...scanned.map(({ dtype, shape }) => ({ dtype, shape: shape === null ? null : [iterations, ...shape] })),
    ];
  },
  evaluate(inputs, { body }, context) {
    const limit = inputs[0]?.item() ?? Number.POSITIVE_INFINITY;
    const tested = inputs[1] != null;
    if (!tested && limit === Number.POSITIVE_INFINITY)
      throw new NonzeroError("unsupported", "the loop has neither a trip count nor a condition, it never ends");
    let condition = inputs[1] ?? Tensor.scalar("bool", 1);
    let carried = inputs.slice(2).map((_, i) => need(inputs, i + 2));
    const count = carried.length;
    const scanned: Tensor[][] = body.outputs.slice(1 + count).map(() => []);
    for (let i = 0; i < limit && (!tested || condition.item() !== 0); i++) {
      const outputs = context.run(body, [Tensor.scalar("int64", i), condition, ...carried]);
      condition = outputs[0]!;
      carried = outputs.slice(1, 1 + count);
      outputs.slice(1 + count).forEach((output, k) => {
        scanned[k]!.push(output);
      });
    }
    return [...carried, ...scanned.map((parts, k) => stackOutputs(parts, 0, body.outputs[1 + count + k]!))];
  },
};

/** What merging leaves unknown once stays so: a name of the body for a carried dimension changes with each inference. */
function widen(a: ValueType, b: ValueType): ValueType {
  const merged = mergeTypes(a, b);
  if (merged.shape === null || a.shape === null) return a.shape === null ? a : merged;
  const shape = merged.shape.map((dim, i) => (isUnknown(a.shape![i]!) ? a.shape![i]! : dim));
  return shape.every((dim, i) => dim === a.shape![i]) ? a : { dtype: a.dtype, shape };
}

const isUnknown = (dim: number | string): boolean => typeof dim === "string" && dim.startsWith("?");

/** The number of iterations where it is known before the loop runs. */
function tripCount(inputs: readonly (Operand | null)[], endless: boolean): number | undefined {
  const start = inputs[1] == null ? true : inputs[1].value && inputs[1].value.item() !== 0;
  if (start === false) return 0;
  const limit = inputs[0]?.value?.item();
  if (limit === undefined || start === undefined || (inputs[1] != null && !endless)) return undefined;
  return Math.max(0, limit);
}

/** Whether the condition that the body returns is its own, handed through, or a constant true. */
function keepsTrue(body: Graph): boolean {
  let value: Value | null | undefined = body.outputs[0];
  for (;;) {
    if (value == null) return false;
    if (value === body.inputs[1]) return true;
    const known = body.constants.get(value);
    if (known !== undefined) return known instanceof Tensor && known.size === 1 && known.item() !== 0;
    const source = body.nodes.find((node) => node.outputs.includes(value as Value));
    if (source?.op === "Constant" && source.domain === "") {
      const attribute = source.attributes.get("value");
      return attribute?.kind === "tensor" && attribute.value.size === 1 && attribute.value.item() !== 0;
    }
    if (source?.domain !== "" || (source.op !== "Identity" && source.op !== "Cast")) return false;
    value = source.inputs[0];
  }
}
