import type { Attribute, Node, Value } from "../../graph/index.js";
import { operatorOf, operators } from "../../ops/index.js";
import { is64BitInteger } from "../../tensor/index.js";
import type { StepGraph, StepRule } from "./step-graph.js";

/** Constants of at most this many elements are compared by what they hold, larger ones by where. */
const SMALL = 16;

/** Attributes as text; null where they hold tensors or graphs. Nodes of different plans share their attributes. */
const written = new WeakMap<Node["attributes"], string | null>();

/** Merges nodes that compute the same from the same: of identical nodes on identical inputs the first remains. */
export function mergeCommonSubexpressions(): StepRule {
  const ids = new Map<unknown, number>();
  const seen = new Map<string, Node>();
  const idOf = (value: Value, graph: StepGraph): string => {
    const tensor = graph.tensor(value);
    if (tensor !== undefined && tensor.size <= SMALL && tensor.dtype !== "string") {
      const elements = is64BitInteger(tensor.dtype) ? tensor.bigints() : tensor.data;
      return `${tensor.dtype}[${tensor.shape}]${Array.from(elements as ArrayLike<unknown>, exactly)}`;
    }
    const key = tensor?.data ?? value;
    if (!ids.has(key)) ids.set(key, ids.size);
    return tensor === undefined ? `${ids.get(key)}` : `${ids.get(key)}[${tensor.shape}]`;
  };
  return (node, graph) => {
    const attributes = textOf(node.attributes);
    if (attributes === null || operatorOf(node, operators).deterministic === false) return null;
    const inputs = node.inputs.map((input) => (input === null ? "" : idOf(input, graph)));
    const outputs = node.outputs.map((output) => (output === null ? 0 : 1));
    const key = `${node.domain}::${node.op}@${node.version}(${inputs.join(";")})→${outputs}{${attributes}}`;
    const earlier = seen.get(key);
    if (earlier === undefined) {
      seen.set(key, node);
      return null;
    }
    node.outputs.forEach((output, i) => {
      if (output !== null) graph.replace(output, earlier.outputs[i]!);
    });
    return [];
  };
}

/** Tells -0 from 0. */
const exactly = (element: unknown): string => (Object.is(element, -0) ? "-0" : String(element));

/** JSON has neither infinities nor -0. */
const spelled = (_: string, value: unknown): unknown =>
  typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)) ? `#${exactly(value)}` : value;

function textOf(attributes: Node["attributes"]): string | null {
  let text = written.get(attributes);
  if (text === undefined) {
    const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
    const plain = ([, { kind }]: [string, Attribute]): boolean => kind !== "tensor" && kind !== "graph";
    text = sorted.every(plain) ? JSON.stringify(sorted, spelled) : null;
    written.set(attributes, text);
  }
  return text;
}
