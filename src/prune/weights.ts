import { type Constant, type Graph, labelOf, type Model, type Node, subgraphsOf, type Value } from "../graph/index.js";
import { isFloat } from "../tensor/index.js";

/** What reads a weight: the kinds that pruning tells apart. */
export type WeightKind = "linear" | "conv" | "depthwise" | "embedding";

/** A constant that is a weight matrix [outputs, inputs] to the nodes that read it. */
export interface Weight {
  /** The constant's name in the file. */
  readonly name: string;
  readonly value: Value;
  readonly constant: Constant;
  /** How its nodes see it. Several kinds, or several axis orders, make it tied: pruned once, and only on request. */
  readonly kind: WeightKind;
  /** Matrix = tensor.transpose(perm).reshape(rows, cols); see SparseTensor. */
  readonly perm: readonly number[];
  readonly rows: number;
  readonly cols: number;
  /** The nodes that read it, subgraphs included, and their names. */
  readonly readers: readonly Node[];
  readonly nodes: readonly string[];
  /** Their operators, each once. */
  readonly operators: readonly string[];
  /** True where its readers disagree on what is an output and what an input (an embedding that is also the vocabulary's projection). */
  readonly tied: boolean;
}

interface Use {
  readonly kind: WeightKind;
  readonly perm: readonly number[];
  readonly node: Node;
}

/**
 * The weights of a model, in the order in which its nodes first read them: constants of MatMul, Gemm and their com.microsoft kin, Conv,
 * and the tables of Gather. Subgraphs of If, Loop and Scan are walked; a weight that several nodes share is listed once.
 */
export function weightsOf(model: Model): Weight[] {
  const constants = new Map<Value, Constant>();
  const uses = new Map<Value, Use[]>();
  const transposes = new Map<Value, Node>();
  const collect = (graph: Graph): void => {
    for (const [value, constant] of graph.constants) constants.set(value, constant);
    for (const node of graph.nodes) {
      if (node.op === "Transpose" && node.domain === "") transposes.set(node.outputs[0]!, node);
      node.inputs.forEach((input, i) => {
        const use = input === null ? null : useOf(node, i, input, constants, transposes);
        if (use === null) return;
        const list = uses.get(use.weight);
        if (list) list.push(use);
        else uses.set(use.weight, [use]);
      });
      subgraphsOf(node).forEach(collect);
    }
  };
  collect(model.graph);
  return [...uses].map(([value, list]) => weightOf(value, constants.get(value)!, list));
}

function weightOf(value: Value, constant: Constant, uses: readonly Use[]): Weight {
  // Of several readings, the one that computes most counts: a linear layer's before a table's.
  const first = uses.find((use) => use.kind !== "embedding") ?? uses[0]!;
  const rows = constant.shape[first.perm[0]!]!;
  const size = constant.shape.reduce((a, b) => a * b, 1);
  return {
    name: value.name,
    value,
    constant,
    kind: first.kind,
    perm: first.perm,
    rows,
    cols: rows === 0 ? 0 : size / rows,
    readers: uses.map(({ node }) => node),
    nodes: uses.map(({ node }) => labelOf(node)),
    operators: [...new Set(uses.map(({ node }) => node.op))],
    tied: uses.some((use) => use.kind !== first.kind || use.perm.join() !== first.perm.join()),
  };
}

/** How node input `i` reads a constant as a weight; through a Transpose where that is between. */
function useOf(
  node: Node,
  i: number,
  input: Value,
  constants: ReadonlyMap<Value, Constant>,
  transposes: ReadonlyMap<Value, Node>,
): (Use & { weight: Value }) | null {
  const direct = constants.get(input);
  if (direct !== undefined) {
    const role = roleOf(node, i, direct.shape, direct);
    return role && { ...role, node, weight: input };
  }
  const transpose = transposes.get(input);
  const weight = transpose?.inputs[0];
  const behind = weight ? constants.get(weight) : undefined;
  if (transpose === undefined || behind === undefined) return null;
  const attribute = transpose.attributes.get("perm");
  const turn =
    attribute?.kind === "ints" ? attribute.value : behind.shape.map((_, axis) => behind.shape.length - 1 - axis);
  const role = roleOf(
    node,
    i,
    turn.map((axis) => behind.shape[axis]!),
    behind,
  );
  return role && { kind: role.kind, perm: role.perm.map((axis) => turn[axis]!), node, weight: weight! };
}

function roleOf(
  node: Node,
  i: number,
  shape: readonly number[],
  constant: Constant,
): Pick<Use, "kind" | "perm"> | null {
  if (!isFloat(constant.dtype)) return null;
  const flag = (name: string): boolean => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "int" && attribute.value !== 0;
  };
  // Other domains have operators of these names that read their weights in other orders.
  switch (node.domain === "" ? node.op : `${node.domain}::${node.op}`) {
    case "MatMul":
    case "com.microsoft::FusedMatMul":
      if (shape.length !== 2) return null;
      if (i === 1) return { kind: "linear", perm: flag("transB") ? [0, 1] : [1, 0] };
      return i === 0 ? { kind: "linear", perm: flag("transA") ? [1, 0] : [0, 1] } : null;
    case "Gemm":
    case "com.microsoft::FusedGemm":
      if (i === 1) return { kind: "linear", perm: flag("transB") ? [0, 1] : [1, 0] };
      return i === 0 ? { kind: "linear", perm: flag("transA") ? [1, 0] : [0, 1] } : null;
    case "Conv":
    case "com.microsoft::FusedConv": {
      if (i !== 1) return null;
      const perm = [0, ...shape.slice(2).map((_, axis) => axis + 2), 1];
      return { kind: shape[1] === 1 && groupOf(node) > 1 ? "depthwise" : "conv", perm };
    }
    case "Gather":
      return i === 0 && shape.length === 2 ? { kind: "embedding", perm: [0, 1] } : null;
    default:
      return null;
  }
}

function groupOf(node: Node): number {
  const attribute = node.attributes.get("group");
  return attribute?.kind === "int" ? attribute.value : 1;
}
