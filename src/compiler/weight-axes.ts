import { type Graph, type Node, subgraphsOf, type Value } from "../graph/index.js";

export interface Read {
  readonly node: Node;
  readonly input: number;
}

/** Who reads each value, subgraphs included; null for a value that a graph gives out. */
export type Readers = ReadonlyMap<Value, readonly (Read | null)[]>;

export function readersOf(graph: Graph, readers = new Map<Value, (Read | null)[]>()): Readers {
  const add = (value: Value, read: Read | null): void => {
    const list = readers.get(value);
    if (list) list.push(read);
    else readers.set(value, [read]);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach((value, input) => {
      if (value !== null) add(value, { node, input });
    });
    for (const inner of subgraphsOf(node)) readersOf(inner, readers);
  }
  for (const output of graph.outputs) add(output, null);
  return readers;
}

/**
 * The axes of a value as a weight matrix [outputs, inputs] (see SparseTensor), where products, convolutions and tables are all that read it, directly
 * or through a Transpose, and they agree; else null.
 */
export function weightAxes(value: Value, readers: Readers): readonly number[] | null {
  const perms = (readers.get(value) ?? []).map((read) => (read === null ? null : axesAt(read, readers)));
  const [first] = perms;
  return first && perms.every((perm) => `${perm}` === `${first}`) ? first : null;
}

function axesAt({ node, input }: Read, readers: Readers): readonly number[] | null {
  const number = (name: string): number => Number(node.attributes.get(name)?.value ?? 0);
  switch (node.domain === "" ? node.op : `${node.domain}::${node.op}`) {
    case "MatMul":
      return input === 1 ? [1, 0] : [0, 1];
    case "Gemm":
    case "com.microsoft::FusedMatMul":
      if (input > 1) return null;
      return (number(input === 0 ? "transA" : "transB") !== 0) === (input === 0) ? [1, 0] : [0, 1];
    case "Gather":
      return input === 0 && number("axis") === 0 ? [0, 1] : null;
    case "Transpose": {
      const perm = node.attributes.get("perm")?.value ?? [1, 0];
      if (`${perm}` !== "1,0") return null;
      return weightAxes(node.outputs[0]!, readers)?.map((axis) => 1 - axis) ?? null;
    }
    case "Conv": {
      const kernel = node.attributes.get("kernel_shape");
      if (input !== 1 || kernel?.kind !== "ints") return null;
      return [0, ...kernel.value.map((_, axis) => axis + 2), 1];
    }
    default:
      return null;
  }
}
