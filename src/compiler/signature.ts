import { capturesOf, type Graph, type Node, subgraphsOf, type Value } from "../graph/index.js";
import { operatorOf, operators } from "../ops/index.js";
import { isFloat, sizeOf, Tensor } from "../tensor/index.js";
import type { LocatedTensor } from "./executor.js";
import type { InputSpec } from "./specialize.js";

/** Values of at most this many elements may become part of a plan's signature: integers as shapes are made of, and floats as Resize scales by. */
const SMALL = 64;
const SMALL_FLOATS = 8;

/**
 * The inputs whose values (not only types) decide what the plan looks like: those that reach the condition of an If or an operand that a
 * shape depends on (Reshape's shape, Slice's starts, …) without passing Shape or Size.
 */
export function shapingInputs(graph: Graph): ReadonlySet<Value> {
  const found = new Set<Value>();
  const producer = new Map<Value, Node>();
  const seen = new Set<Value>();
  const visit = (value: Value): void => {
    if (seen.has(value)) return;
    seen.add(value);
    const node = producer.get(value);
    if (node === undefined) found.add(value);
    else if (operatorOf(node, operators).fromTypes === undefined) {
      for (const input of node.inputs) if (input !== null) visit(input);
      for (const inner of subgraphsOf(node)) for (const captured of capturesOf(inner)) visit(captured);
    }
  };
  const scan = (inner: Graph): void => {
    for (const node of inner.nodes) for (const output of node.outputs) if (output !== null) producer.set(output, node);
    for (const node of inner.nodes) {
      const shaping = node.op === "If" ? [0] : (operatorOf(node, operators).shapeInputs ?? []);
      for (const index of shaping) {
        const input = node.inputs[index];
        if (input) visit(input);
      }
      for (const body of subgraphsOf(node)) scan(body);
    }
  };
  scan(graph);
  return new Set(graph.inputs.filter((input) => found.has(input)));
}

/** Whether a plan is made for this input's value, not its type alone. */
export const readsValue = (input: Value, { dtype, shape }: LocatedTensor, shaping: ReadonlySet<Value>): boolean =>
  shaping.has(input) && sizeOf(shape) <= (isFloat(dtype) ? SMALL_FLOATS : SMALL);

/** What a plan is made for: types of all inputs, which of them are in the device's memory, and the values of small shaping ones. */
export function specOf(input: Value, tensor: LocatedTensor, shaping: ReadonlySet<Value>): InputSpec {
  const type = { dtype: tensor.dtype, shape: tensor.shape };
  if (!(tensor instanceof Tensor)) return { type, onDevice: true };
  return { type, value: readsValue(input, tensor, shaping) ? tensor : undefined };
}

/** Equal for inputs that the same plan serves. */
export const signatureOf = (specs: readonly InputSpec[]): string =>
  specs
    .map(
      ({ type, value, onDevice }) =>
        `${type.dtype}[${type.shape}]${onDevice ? "@" : ""}${value === undefined ? "" : `=${Array.from(value.data as ArrayLike<unknown>)}`}`,
    )
    .join(";");
