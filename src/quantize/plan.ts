import { dropDeadCode, withSubgraphs } from "../compiler/rewrite.js";
import { type Constant, type Graph, type Model, type Node, Value } from "../graph/index.js";

/** What becomes of one weight: constants and nodes in the graph that holds it, and nodes in place of some that read it. */
export interface WeightEdit {
  /** What takes the weight's place as a constant; absent where nodes make its value, or nobody reads it any more. */
  readonly constant?: Constant;
  readonly added: ReadonlyMap<Value, Constant>;
  /** Made in the weight's graph before all else. */
  readonly nodes: readonly Node[];
  readonly readers: ReadonlyMap<Node, ReaderEdit>;
}

/** The nodes in place of one; `quantized` gives the levels, scale and zero point of an activation, made once in a graph. */
export type ReaderEdit = (node: Node, quantized: (x: Value) => readonly [Value, Value, Value]) => readonly Node[];

/** The model with its weights edited, subgraphs included; what nobody reads then is dropped. */
export function editWeights(model: Model, edits: ReadonlyMap<Value, WeightEdit>, domains: readonly string[]): Model {
  const readers = new Map([...edits.values()].flatMap((edit) => [...edit.readers]));
  const version = model.opsets.get("") ?? 21;
  const opsets = new Map(model.opsets);
  for (const domain of domains) if (!opsets.has(domain)) opsets.set(domain, 1);
  return { ...model, opsets, graph: edited(model.graph, edits, readers, version) };
}

function edited(
  graph: Graph,
  edits: ReadonlyMap<Value, WeightEdit>,
  readers: ReadonlyMap<Node, ReaderEdit>,
  version: number,
): Graph {
  const constants = new Map<Value, Constant>();
  const nodes: Node[] = [];
  for (const [value, constant] of graph.constants) {
    const edit = edits.get(value);
    if (edit === undefined) constants.set(value, constant);
    else {
      if (edit.constant !== undefined) constants.set(value, edit.constant);
      for (const [added, tensor] of edit.added) constants.set(added, tensor);
      nodes.push(...edit.nodes);
    }
  }
  const levels = new Map<Value, readonly [Value, Value, Value]>();
  const quantized = (x: Value): readonly [Value, Value, Value] => {
    let outputs = levels.get(x);
    if (outputs === undefined) {
      outputs = [new Value(`${x.name}_quantized`), new Value(`${x.name}_scale`), new Value(`${x.name}_zero_point`)];
      nodes.push(nodeOf("DynamicQuantizeLinear", [x], outputs, version, `${x.name}_quantize`));
      levels.set(x, outputs);
    }
    return outputs;
  };
  for (const node of graph.nodes) {
    const change = readers.get(node);
    nodes.push(
      ...(change?.(node, quantized) ?? [withSubgraphs(node, (inner) => edited(inner, edits, readers, version))]),
    );
  }
  const inputs = graph.inputs.filter((input) => !edits.has(input));
  return dropDeadCode({ ...graph, inputs, nodes, constants });
}

/** A node of ONNX's or another domain. */
export const nodeOf = (
  op: string,
  inputs: readonly (Value | null)[],
  outputs: readonly Value[],
  version: number,
  name: string,
  attributes: Node["attributes"] = new Map(),
  domain = "",
): Node => ({ op, domain, version, name, inputs, outputs, attributes });
