import { type Constant, type Graph, labelOf, type Node, Value } from "../../graph/index.js";
import { groupSizeOf, SparseTensor } from "../../layouts/index.js";
import { Tensor } from "../../tensor/index.js";
import { type OncePerWeight, oncePerWeight } from "../once-per-weight.js";
import type { Pass } from "../pass.js";
import { fromDequantizeLinear, gatheredBlocks, isGroupSize, multipliedBlocks } from "../quantized-weight.js";
import { dropDeadCode, withSubgraphs } from "../rewrite.js";
import { type Readers, readersOf, weightAxes } from "../weight-axes.js";

/**
 * Keeps quantized weights as they are: a DequantizeLinear of constants that products and tables read becomes a constant of layout `dense` (a scale a
 * row) or `dense:gG` (a scale a group), com.microsoft MatMulNBits a MatMul with such a constant, GatherBlockQuantized a Gather from one. What has
 * other granularities, or other readers, is folded to floats by the next pass.
 */
export const keepQuantizedWeights: Pass = {
  name: "keep-quantized-weights",
  run: (graph) => keep(graph, { readers: readersOf(graph), outer: () => undefined, once: oncePerWeight() }),
};

interface Scope {
  readonly readers: Readers;
  readonly outer: (value: Value) => Constant | undefined;
  /** What becomes of packed weights: the branches of an If share one. */
  readonly once: OncePerWeight<Constant | null>;
}

function keep(graph: Graph, scope: Scope): Graph {
  const constants = new Map(
    [...graph.constants].map(([value, constant]) => [value, unpackedUnlessKnown(constant)] as const),
  );
  const variable = new Set(graph.inputs);
  const constantOf = (value: Value): Constant | undefined =>
    variable.has(value) ? undefined : (constants.get(value) ?? scope.outer(value));
  /** The tensors of some of a node's inputs; null where one of them is no dense constant. */
  const tensorsOf = (node: Node, indices: readonly number[]): (Tensor | null)[] | null => {
    const tensors = indices.map((i) => {
      const input = node.inputs[i] ?? null;
      return input === null ? null : constantOf(input);
    });
    return tensors.every((tensor) => tensor === null || tensor instanceof Tensor) ? (tensors as Tensor[]) : null;
  };
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const output = node.outputs[0];
    if (!output) return [node];
    const kind = node.domain === "" ? node.op : `${node.domain}::${node.op}`;
    switch (kind) {
      case "Reshape": {
        // One table's bytes in two shapes: what shares them is still one constant.
        const [tensors, shape] = [tensorsOf(node, [0]), tensorsOf(node, [1])?.[0]];
        const from = tensors?.[0];
        if (!from || !shape) return [node];
        const dims = Array.from(shape.numbers(), Number);
        if (dims.some((dim) => dim < 1) || dims.reduce((a, b) => a * b, 1) !== from.size) return [node];
        constants.set(output, from.reshape(dims));
        return [];
      }
      case "DequantizeLinear": {
        const perm = weightAxes(output, scope.readers);
        const tensors = perm === null ? null : tensorsOf(node, [0, 1, 2]);
        const constant = tensors?.[0] && tensors[1] ? fromDequantizeLinear(node, tensors, perm!) : null;
        if (constant === null) return [node];
        output.type = { dtype: constant.dtype, shape: constant.shape };
        constants.set(output, constant);
        return [];
      }
      case "com.microsoft::MatMulNBits": {
        const tensors = tensorsOf(node, [1, 2, 3, 4]);
        if (!tensors?.[0] || tensors[3]) return [node];
        const weight = scope.once(node, [tensors[0], ...tensors.slice(1)], () => multipliedBlocks(node, tensors));
        if (weight === null) return [node];
        const value = add(constants, `${labelOf(node)}.weight`, weight);
        const bias = node.inputs[5] ?? null;
        const plain = { domain: "", version: 13, attributes: new Map() };
        const product = bias === null ? output : new Value(`${output.name}.product`);
        const matmul = { ...node, ...plain, op: "MatMul", inputs: [node.inputs[0]!, value], outputs: [product] };
        if (bias === null) return [matmul];
        return [matmul, { ...node, ...plain, op: "Add", name: "", inputs: [product, bias], outputs: [output] }];
      }
      case "com.microsoft::GatherBlockQuantized": {
        const tensors = tensorsOf(node, [0, 2, 3]);
        if (!tensors?.[0]) return [node];
        const table = scope.once(node, [tensors[0], ...tensors.slice(1)], () => gatheredBlocks(node, tensors));
        if (table === null) return [node];
        const value = add(constants, `${labelOf(node)}.table`, table);
        const plain = { op: "Gather", domain: "", version: 13, attributes: new Map() };
        return [{ ...node, ...plain, inputs: [value, node.inputs[1]!] }];
      }
      default:
        return [withSubgraphs(node, (inner) => keep(inner, { ...scope, outer: constantOf }))];
    }
  });
  return dropDeadCode({ ...graph, nodes, constants });
}

/** Codes in groups that a file holds so, as floats where kernels do not know the groups or the weight is no matrix. */
function unpackedUnlessKnown(constant: Constant): Constant {
  if (!(constant instanceof SparseTensor)) return constant;
  const size = groupSizeOf(constant.stored.layout);
  return size === null || (isGroupSize(size) && constant.shape.length === 2) ? constant : constant.toDense();
}

function add(constants: Map<Value, Constant>, name: string, constant: Constant): Value {
  const value = new Value(name, { dtype: constant.dtype, shape: constant.shape });
  constants.set(value, constant);
  return value;
}
