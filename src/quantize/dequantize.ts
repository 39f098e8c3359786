import { type OncePerWeight, oncePerWeight } from "../compiler/once-per-weight.js";
import { transposedSparse } from "../compiler/passes/fold-constants.js";
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
  graph: floats(model.graph, model.opsets.get("") ?? 21, null),
});

type Lookup = (value: Value) => Constant | undefined;

/** What a subgraph takes from the graphs around it. */
interface Outer {
  readonly constantOf: Lookup;
  /** One float weight for all that read the same codes in the same way. */
  readonly once: OncePerWeight<Value>;
  /** The outermost graph's constants, where these weights go. */
  readonly shared: Map<Value, Constant>;
}

function floats(graph: Graph, opset: number, outer: Outer | null): Graph {
  const constants = new Map(graph.constants);
  const { once, shared } = outer ?? { once: oncePerWeight<Value>(), shared: constants };
  const fed = new Set(graph.inputs);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const constantOf: Lookup = (value) =>
    fed.has(value) ? undefined : (constants.get(value) ?? turnedOf(value) ?? outer?.constantOf(value));
  const turned = new Map<Value, Constant | undefined>();
  /** A Reshape or Transpose of codes or scales, which stays as a node for others that read it. */
  const turnedOf: Lookup = (value) => {
    const node = producers.get(value);
    if (node === undefined || (operatorKey(node) !== "Reshape" && operatorKey(node) !== "Transpose")) return undefined;
    if (!turned.has(value)) turned.set(value, evaluated(node));
    return turned.get(value);
  };
  const evaluated = (node: Node): Constant | undefined => {
    const from = node.inputs[0] ? constantOf(node.inputs[0]) : undefined;
    if (from instanceof SparseTensor) return transposedSparse(node, from) ?? undefined;
    const tensors = node.inputs.map(tensorOf);
    if (!tensors[0] || tensors.includes(undefined)) return undefined;
    return evaluateNode(node, tensors as (Tensor | null)[], operators, { run: () => [] })[0];
  };
  const tensorOf = (value: Value | null | undefined): Tensor | null | undefined => {
    if (value == null) return null;
    const constant = constantOf(value);
    return constant instanceof Tensor ? constant : undefined;
  };
  const add = (name: string, constant: Constant): Value => {
    const value = new Value(name, { dtype: constant.dtype, shape: constant.shape });
    shared.set(value, constant);
    return value;
  };
  const product = (node: Node, x: Value, weight: Value, bias: Value | null): Node[] => {
    const y = node.outputs[0]!;
    if (bias === null) return [nodeOf("MatMul", [x, weight], [y], opset, node.name)];
    const sum = new Value(`${y.name}_product`);
    return [nodeOf("MatMul", [x, weight], [sum], opset, node.name), nodeOf("Add", [sum, bias], [y], opset, "")];
  };

  const nodes = graph.nodes.flatMap((node): Node[] => {
    const same = [withSubgraphs(node, (inner) => floats(inner, opset, { constantOf, once, shared }))];
    const kind = operatorKey(node);
    const tensors = READ_AS_CONSTANTS.has(kind) ? node.inputs.map(tensorOf) : [];
    const known = (...indices: number[]): boolean =>
      indices.every((i) => tensors[i] !== undefined || node.inputs[i] == null);
    const [output] = node.outputs;
    if (!output) return same;
    switch (kind) {
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
        const [codes, scales, zero] = [tensors[1], tensors[2], tensors[3] ?? null];
        const weight = once(node, [codes, scales, zero], () => {
          const data = Float32Array.from(dequantizeBlocks(codes, scales, zero, a));
          const constant = fromMatrix({ rows: a.N, cols: a.K, data }, [a.K, a.N], [1, 0], scales.dtype);
          return add(`${node.name || output.name}_weight`, constant);
        });
        return product(node, node.inputs[0]!, weight, node.inputs[5] ?? null);
      }
      case "com.microsoft::GatherBlockQuantized": {
        if (!known(0, 2, 3) || !tensors[0] || !tensors[2]) return same;
        const { gatherAxis } = attributesFor(node, operators.get(operatorKey(node))!) as { gatherAxis: number };
        const [codes, scales, zero] = [tensors[0], tensors[2], tensors[3] ?? null];
        const table = once(node, [codes, scales, zero], () => {
          const size = gatheredSize(node, codes);
          const all = Tensor.from(
            "int64",
            [size],
            Array.from({ length: size }, (_, i) => i),
          );
          const [constant] = evaluateNode(node, [codes, all, scales, zero], operators, { run: () => [] });
          return add(`${node.name || output.name}_table`, constant!);
        });
        const axis = new Map([["axis", { kind: "int", value: gatherAxis } as const]]);
        return [nodeOf("Gather", [table, node.inputs[1]!], [output], opset, node.name, axis)];
      }
      case "com.microsoft::DynamicQuantizeMatMul": {
        const [x, codes] = node.inputs as [Value, Value];
        const constant = constantOf(codes);
        if (constant === undefined || !known(2, 3) || !tensors[2]) return same;
        const [scale, zero] = [tensors[2], tensors[3] ?? null];
        if (!fits(constant, scale, zero)) return same;
        const made = () => add(`${codes.name}_float`, floatWeight(constant, scale, zero));
        return product(node, x, once(node, [constant, scale, zero], made), node.inputs[4] ?? null);
      }
      case "Mul": {
        const chain = dynamicChain(node, producers, constantOf);
        if (chain === null) return same;
        const { x, codes, constant, scale, zero } = chain;
        const made = () => add(`${codes.name}_float`, floatWeight(constant, scale, zero));
        return product({ ...node, name: chain.name }, x, once(node, [constant, scale, zero], made), null);
      }
      default:
        return same;
    }
  });
  return dropDeadCode({ ...graph, nodes, constants });
}

/** Operators whose inputs are looked at as constants. */
const READ_AS_CONSTANTS: ReadonlySet<string> = new Set([
  "DequantizeLinear",
  "com.microsoft::MatMulNBits",
  "com.microsoft::GatherBlockQuantized",
  "com.microsoft::DynamicQuantizeMatMul",
]);

function gatheredSize(node: Node, data: Tensor): number {
  const { gatherAxis, bits } = attributesFor(node, operators.get(operatorKey(node))!) as {
    gatherAxis: number;
    bits: number;
  };
  const axis = gatherAxis < 0 ? gatherAxis + data.shape.length : gatherAxis;
  const packed = data.dtype === "uint8" && axis === data.shape.length - 1;
  return data.shape[axis]! * (packed ? 8 / bits : 1);
}

/** Whether there is a scale, and a zero point, for each column of codes [inputs, outputs] or one for all. */
const fits = ({ shape }: Constant, scale: Tensor, zero: Tensor | null): boolean =>
  shape.length === 2 && [scale, zero].every((tensor) => !tensor || tensor.size === 1 || tensor.size === shape[1]);

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
    if (matmul.inputs[0] !== quantizer.outputs[0] || matmul.inputs[2] !== quantizer.outputs[2]) continue;
    const scaleValue = factors.find((factor) => factor !== quantizer.outputs[1]);
    if (!factors.includes(quantizer.outputs[1] as Value) || !scaleValue) continue;
    const codes = matmul.inputs[1]!;
    const [constant, scale] = [constantOf(codes), constantOf(scaleValue)];
    const zero = matmul.inputs[3] ? constantOf(matmul.inputs[3]) : null;
    if (constant === undefined || !(scale instanceof Tensor)) continue;
    if ((zero !== null && !(zero instanceof Tensor)) || !fits(constant, scale, zero)) continue;
    return { x: quantizer.inputs[0]!, codes, constant, scale, zero, name: matmul.name };
  }
  return null;
}
