import { dropDeadCode, withSubgraphs } from "../compiler/rewrite.js";
import { type Constant, type Graph, type Model, type Node, Value } from "../graph/index.js";
import { fromMatrix, parseLayout, SparseTensor } from "../layouts/index.js";
import { attributesFor, dequantizeBlocks, evaluateNode, operatorKey, operators } from "../ops/index.js";
import { type DataType, Tensor } from "../tensor/index.js";
import { nodeOf } from "./plan.js";

/**
 * The model with float weights, to be pruned: DequantizeLinear of constants becomes a constant, MatMulNBits and DynamicQuantizeMatMul a MatMul [and an Add],
 * GatherBlockQuantized a Gather, and DynamicQuantizeLinear → MatMulInteger → Cast → Mul a MatMul, so that activations are floats again. Sparse weights stay
 * sparse. What else is quantized stays (activations with scales of their own, integer convolutions).
 */
export const dequantize = (model: Model): Model => ({
  ...model,
  graph: floats(model.graph, model.opsets.get("") ?? 21, () => undefined, new Map()),
});

type Lookup = (value: Value) => Constant | undefined;

function floats(graph: Graph, opset: number, outer: Lookup, made: Map<Constant, Map<string, Constant>>): Graph {
  const constants = new Map(graph.constants);
  const fed = new Set(graph.inputs);
  const constantOf: Lookup = (value) => (fed.has(value) ? undefined : (constants.get(value) ?? outer(value)));
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const tensorOf = (value: Value | null | undefined): Tensor | null | undefined => {
    if (value == null) return null;
    const constant = constantOf(value);
    return constant instanceof Tensor ? constant : undefined;
  };
  /** One float weight for all that read the same codes in the same way. */
  const once = (codes: Constant, key: string, make: () => Constant): Constant => {
    const known = made.get(codes) ?? new Map<string, Constant>();
    made.set(codes, known);
    const weight = known.get(key) ?? make();
    known.set(key, weight);
    return weight;
  };
  const add = (name: string, constant: Constant): Value => {
    const value = new Value(name, { dtype: constant.dtype, shape: constant.shape });
    constants.set(value, constant);
    return value;
  };
  const product = (node: Node, x: Value, weight: Value, bias: Value | null): Node[] => {
    const y = node.outputs[0]!;
    if (bias === null) return [nodeOf("MatMul", [x, weight], [y], opset, node.name)];
    const sum = new Value(`${y.name}_product`);
    return [nodeOf("MatMul", [x, weight], [sum], opset, node.name), nodeOf("Add", [sum, bias], [y], opset, "")];
  };

  const nodes = graph.nodes.flatMap((node): Node[] => {
    const same = [withSubgraphs(node, (inner) => floats(inner, opset, constantOf, made))];
    const tensors = node.inputs.map(tensorOf);
    const known = (...indices: number[]): boolean =>
      indices.every((i) => tensors[i] !== undefined || node.inputs[i] == null);
    const [output] = node.outputs;
    if (!output) return same;
    switch (operatorKey(node)) {
      case "Reshape":
      case "Transpose": {
        // Of codes and scales: what reads them looks for constants.
        if (!known(0, 1) || !tensors[0]) return same;
        const [result] = evaluateNode(node, tensors as (Tensor | null)[], operators, { run: () => [] });
        constants.set(output, result!);
        return [];
      }
      case "DequantizeLinear": {
        if (!known(0, 1, 2) || !tensors[0]) return same;
        const [weight] = evaluateNode(node, tensors as (Tensor | null)[], operators, { run: () => [] });
        output.type = { dtype: weight!.dtype, shape: weight!.shape };
        constants.set(output, weight!);
        return [];
      }
      case "com.microsoft::MatMulNBits": {
        if (!known(1, 2, 3, 4) || !tensors[1] || !tensors[2] || tensors[4]) return same;
        const a = attributesFor(node, operators.get(operatorKey(node))!) as Parameters<typeof dequantizeBlocks>[3];
        const weight = once(tensors[1], "blocks", () => {
          const data = Float32Array.from(dequantizeBlocks(tensors[1]!, tensors[2]!, tensors[3] ?? null, a));
          return fromMatrix({ rows: a.N, cols: a.K, data }, [a.K, a.N], [1, 0], tensors[2]!.dtype);
        });
        return product(
          node,
          node.inputs[0]!,
          add(`${node.name || output.name}_weight`, weight),
          node.inputs[5] ?? null,
        );
      }
      case "com.microsoft::GatherBlockQuantized": {
        if (!known(0, 2, 3) || !tensors[0] || !tensors[2]) return same;
        const { gatherAxis } = attributesFor(node, operators.get(operatorKey(node))!) as { gatherAxis: number };
        const size = gatheredSize(node, tensors[0]);
        const table = once(tensors[0], "table", () => {
          const all = Tensor.from(
            "int64",
            [size],
            Array.from({ length: size }, (_, i) => i),
          );
          const operands = [tensors[0]!, all, tensors[2]!, tensors[3] ?? null];
          return evaluateNode(node, operands, operators, { run: () => [] })[0]!;
        });
        const value = add(`${node.name || output.name}_table`, table);
        const axis = new Map([["axis", { kind: "int", value: gatherAxis } as const]]);
        return [nodeOf("Gather", [value, node.inputs[1]!], [output], opset, node.name, axis)];
      }
      case "com.microsoft::DynamicQuantizeMatMul": {
        const [x, codes] = node.inputs as [Value, Value];
        const constant = constantOf(codes);
        if (constant === undefined || !known(2, 3) || !tensors[2]) return same;
        const weight = once(constant, "dynamic", () => floatWeight(constant, tensors[2]!, tensors[3] ?? null));
        return product(node, x, add(`${codes.name}_float`, weight), node.inputs[4] ?? null);
      }
      case "Mul": {
        const chain = dynamicChain(node, producers, constantOf);
        if (chain === null) return same;
        const { x, codes, constant, scale, zero } = chain;
        const weight = once(constant, "dynamic", () => floatWeight(constant, scale, zero));
        return product({ ...node, name: chain.name }, x, add(`${codes.name}_float`, weight), null);
      }
      default:
        return same;
    }
  });
  return dropDeadCode({ ...graph, nodes, constants });
}

function gatheredSize(node: Node, data: Tensor): number {
  const { gatherAxis, bits } = attributesFor(node, operators.get(operatorKey(node))!) as {
    gatherAxis: number;
    bits: number;
  };
  const axis = gatherAxis < 0 ? gatherAxis + data.shape.length : gatherAxis;
  const packed = data.dtype === "uint8" && axis === data.shape.length - 1;
  return data.shape[axis]! * (packed ? 8 / bits : 1);
}

/** (codes − zero point) · scale, scale and zero point for each column [inputs, outputs] or one for all. */
function floatWeight(codes: Constant, scale: Tensor, zero: Tensor | null): Constant {
  const factors = scale.numbers();
  const factorOf = (column: number): number => factors[factors.length === 1 ? 0 : column]!;
  if (codes instanceof SparseTensor && zero === null && codes.perm[0] === 1) {
    const layout = parseLayout(codes.stored.layout);
    const matrix = layout.decode(codes.stored);
    const mask = { rows: matrix.rows, cols: matrix.cols, data: new Uint8Array(matrix.data.length) };
    layout.visit(codes.stored, (row, col) => {
      mask.data[row * matrix.cols + col] = 1;
    });
    const data = matrix.data.map((code, i) => code * factorOf(Math.floor(i / matrix.cols)));
    const stored = layout.encode({ ...matrix, data }, mask, { dtype: scale.dtype as DataType });
    return new SparseTensor(codes.shape, codes.perm, stored);
  }
  const dense = codes instanceof SparseTensor ? codes.toDense() : codes;
  const columns = dense.shape[dense.shape.length - 1]!;
  const zeros = zero?.numbers();
  const data = Float32Array.from(dense.numbers(), (code, i) => {
    const column = i % columns;
    return (code - (zeros === undefined ? 0 : zeros[zeros.length === 1 ? 0 : column]!)) * factorOf(column);
  });
  return Tensor.from(scale.dtype, dense.shape, data);
}

/** Mul(Cast(MatMulInteger(q, W, z)), Mul(s, scale)), the factors in any order, where q, s and z are DynamicQuantizeLinear's of x. */
function dynamicChain(node: Node, producers: ReadonlyMap<Value | null, Node>, constantOf: Lookup) {
  const made = (value: Value | null | undefined, op: string): Node | undefined => {
    const producer = producers.get(value ?? null);
    return producer?.op === op && producer.domain === "" ? producer : undefined;
  };
  for (const [a, b] of [node.inputs, [...node.inputs].reverse()]) {
    const matmul = made(made(a, "Cast")?.inputs[0], "MatMulInteger");
    const factors = made(b, "Mul")?.inputs;
    const quantizer = made(matmul?.inputs[0], "DynamicQuantizeLinear");
    if (matmul === undefined || factors === undefined || quantizer === undefined) continue;
    const scaleValue = factors.find((factor) => factor !== quantizer.outputs[1]);
    if (!factors.includes(quantizer.outputs[1] as Value) || !scaleValue) continue;
    const codes = matmul.inputs[1]!;
    const [constant, scale] = [constantOf(codes), constantOf(scaleValue)];
    const zero = matmul.inputs[3] ? constantOf(matmul.inputs[3]) : null;
    if (constant === undefined || constant.shape.length !== 2 || !(scale instanceof Tensor)) continue;
    if (zero !== null && !(zero instanceof Tensor)) continue;
    return { x: quantizer.inputs[0]!, codes, constant, scale, zero, name: matmul.name };
  }
  return null;
}
