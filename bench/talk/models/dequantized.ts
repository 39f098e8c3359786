import {
  type Attribute,
  type Constant,
  type Graph,
  type Model,
  type Node,
  subgraphsOf,
  Value,
} from "../../../src/graph/index.js";
import { Tensor } from "../../../src/tensor/index.js";

/**
 * A model that onnxruntime's quantize_dynamic made, in float32 again: each MatMulInteger of DynamicQuantizeLinear's result and a constant, with
 * the Cast and Mul after it, becomes a MatMul of what was quantized and (weight - zero point) · scale. A weight that branches share stays shared.
 */
export function dequantized(model: Model): Model {
  const scales = new Map<Value, number>();
  const made = new Map<Value, { value: Value; tensor: Tensor }>();
  const constants = new Map<Value, Constant>();
  const collect = (graph: Graph): void => {
    for (const [value, constant] of graph.constants) constants.set(value, constant);
    for (const node of graph.nodes) for (const inner of subgraphsOf(node)) collect(inner);
  };
  collect(model.graph);
  const scalar = (value: Value | null | undefined): number | undefined => {
    const constant = value ? constants.get(value) : undefined;
    return constant instanceof Tensor && constant.size === 1 ? Number(constant.numbers()[0]) : undefined;
  };

  const floatWeight = (weight: Value, zeroPoint: number, scale: number): Value => {
    if ((scales.get(weight) ?? scale) !== scale) throw new Error(`'${weight.name}' has two scales`);
    scales.set(weight, scale);
    const known = made.get(weight);
    if (known !== undefined) return known.value;
    const codes = constants.get(weight) as Tensor;
    const data = Float32Array.from(codes.data as Uint8Array, (code) => (code - zeroPoint) * scale);
    const tensor = new Tensor("float32", codes.shape, data);
    const value = new Value(`${weight.name}_float`, { dtype: "float32", shape: codes.shape });
    made.set(weight, { value, tensor });
    return value;
  };

  const rewritten = (graph: Graph): Graph => {
    const makers = new Map<Value, Node>();
    for (const node of graph.nodes) for (const output of node.outputs) if (output !== null) makers.set(output, node);
    const makerOf = (value: Value | null | undefined, op: string): Node | undefined => {
      const node = value ? makers.get(value) : undefined;
      return node?.op === op ? node : undefined;
    };
    const product = (node: Node): Node | null => {
      if (node.op !== "Mul") return null;
      for (const i of [0, 1]) {
        const integer = makerOf(makerOf(node.inputs[i], "Cast")?.inputs[0], "MatMulInteger");
        const factors = makerOf(node.inputs[1 - i], "Mul");
        const quantize = makerOf(integer?.inputs[0], "DynamicQuantizeLinear");
        if (integer === undefined || factors === undefined || quantize === undefined) continue;
        const scale = factors.inputs.map(scalar).find((value) => value !== undefined);
        if (scale === undefined) continue;
        const weight = floatWeight(integer.inputs[1]!, scalar(integer.inputs[3]) ?? 0, scale);
        return { ...node, op: "MatMul", inputs: [quantize.inputs[0]!, weight] };
      }
      return null;
    };
    const nodes = graph.nodes.map((node) => product(node) ?? { ...node, attributes: inSubgraphs(node) });
    return { ...graph, nodes: used(nodes, graph.outputs) };
  };
  const inSubgraphs = (node: Node): ReadonlyMap<string, Attribute> =>
    new Map(
      [...node.attributes].map(([name, attribute]) => [
        name,
        attribute.kind === "graph" ? { kind: "graph", value: rewritten(attribute.value) } : attribute,
      ]),
    );

  const placed = (graph: Graph): Graph => {
    const own = new Map(graph.constants);
    for (const weight of graph.constants.keys()) {
      const float = made.get(weight);
      if (float === undefined) continue;
      own.delete(weight);
      own.set(float.value, float.tensor);
    }
    const nodes = graph.nodes.map((node) => ({
      ...node,
      attributes: new Map(
        [...node.attributes].map(([name, attribute]): [string, Attribute] => [
          name,
          attribute.kind === "graph" ? { kind: "graph", value: placed(attribute.value) } : attribute,
        ]),
      ),
    }));
    return { ...graph, nodes, constants: own };
  };
  return { ...model, graph: placed(rewritten(model.graph)) };
}

/** The nodes that the outputs need. Bodies may read any value around them, so all of theirs are needed. */
function used(nodes: readonly Node[], outputs: readonly Value[]): Node[] {
  const needed = new Set<Value>(outputs);
  const read = (graph: Graph): void => {
    for (const output of graph.outputs) needed.add(output);
    for (const node of graph.nodes) {
      for (const input of node.inputs) if (input !== null) needed.add(input);
      subgraphsOf(node).forEach(read);
    }
  };
  for (const node of nodes) subgraphsOf(node).forEach(read);
  const kept = [...nodes].reverse().filter((node) => {
    if (!node.outputs.some((output) => output !== null && needed.has(output))) return false;
    for (const input of node.inputs) if (input !== null) needed.add(input);
    return true;
  });
  return kept.reverse();
}
