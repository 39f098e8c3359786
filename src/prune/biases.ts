import { type Graph, type Model, type Node, subgraphsOf, type Value } from "../graph/index.js";
import { isFloat, Tensor } from "../tensor/index.js";
import type { Weight } from "./weights.js";

/** A constant that is added to each output of the layers that read a weight. */
export interface Bias {
  readonly value: Value;
  readonly constant: Tensor;
  /** What one unit of it adds to an output, over what one unit of the weight's product does: Gemm's beta / alpha, otherwise 1. */
  readonly gain: number;
}

/**
 * The biases of a weight's readers: Gemm's C, Conv's B, or the constant that an Add puts to a MatMul's output when nothing else reads that. Null
 * where a reader has none, or has one that other layers share, so that a correction of the weight's outputs has no place to go.
 */
export function biasesOf(model: Model, { readers, value: weight, rows }: Weight): Bias[] | null {
  const uses = usesOf(model.graph);
  const biases = new Map<Value, Bias>();
  const places = new Map<Value, number>();
  for (const node of readers) {
    const found = node.inputs[1] === weight ? biasOf(node, uses) : null;
    const constant = found && uses.constants.get(found.value);
    if (!found || !constant || constant.size !== rows || constant.shape.at(-1) !== rows) return null;
    if (biases.has(found.value) && biases.get(found.value)!.gain !== found.gain) return null;
    biases.set(found.value, { ...found, constant });
    places.set(found.value, (places.get(found.value) ?? 0) + 1);
  }
  const shared = [...places].some(([value, count]) => uses.reads.get(value)!.length !== count);
  return shared ? null : [...biases.values()];
}

interface Uses {
  /** Dense float constants. */
  readonly constants: Map<Value, Tensor>;
  /** Who reads a value; null for a graph that gives it out. */
  readonly reads: Map<Value, (Node | null)[]>;
}

function usesOf(graph: Graph, uses: Uses = { constants: new Map(), reads: new Map() }): Uses {
  const read = (value: Value, node: Node | null): void => {
    const list = uses.reads.get(value);
    if (list) list.push(node);
    else uses.reads.set(value, [node]);
  };
  for (const [value, constant] of graph.constants)
    if (constant instanceof Tensor && isFloat(constant.dtype)) uses.constants.set(value, constant);
  for (const value of graph.outputs) read(value, null);
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (input !== null) read(input, node);
    for (const inner of subgraphsOf(node)) usesOf(inner, uses);
  }
  return uses;
}

function biasOf(node: Node, { constants, reads }: Uses): { readonly value: Value; readonly gain: number } | null {
  switch (node.domain === "" ? node.op : `${node.domain}::${node.op}`) {
    case "Gemm":
    case "com.microsoft::FusedGemm": {
      const value = node.inputs[2];
      const gain = factorOf(node, "beta") / factorOf(node, "alpha");
      return value && Number.isFinite(gain) && gain !== 0 ? { value, gain } : null;
    }
    case "Conv":
    case "com.microsoft::FusedConv":
      return node.inputs[2] ? { value: node.inputs[2], gain: 1 } : null;
    case "MatMul":
    case "com.microsoft::FusedMatMul": {
      const output = node.outputs[0]!;
      const [add, ...others] = reads.get(output) ?? [];
      if (!add || others.length > 0 || add.op !== "Add" || add.domain !== "") return null;
      const value = add.inputs.find((input) => input !== output);
      return value && constants.has(value) ? { value, gain: 1 / factorOf(node, "alpha") } : null;
    }
    default:
      return null;
  }
}

function factorOf(node: Node, name: string): number {
  const attribute = node.attributes.get(name);
  return attribute?.kind === "float" || attribute?.kind === "int" ? attribute.value : 1;
}
