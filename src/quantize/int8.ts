import { attributesOf, type Constant, type Node, Value } from "../graph/index.js";
import { fromMatrix, parseLayout, quantizeRows, SparseTensor, toMatrix } from "../layouts/index.js";
import type { Weight } from "../prune/index.js";
import type { Mask, Matrix } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { nodeOf, type ReaderEdit, type WeightEdit } from "./plan.js";

/** An edited weight and the bytes that it takes now. */
export interface QuantizedConstant {
  readonly edit: WeightEdit;
  readonly bytes: number;
}

/** int8 codes and one scale for each output channel: value ≈ code · scale. */
interface Codes {
  readonly matrix: Matrix;
  readonly scales: Tensor;
}

/** The entries that a sparse tensor stores. */
function storedMask({ stored }: SparseTensor): Mask {
  const { rows, cols, layout } = stored;
  const data = new Uint8Array(rows * cols);
  parseLayout(layout).visit(stored, (row, col) => {
    data[row * cols + col] = 1;
  });
  return { rows, cols, data };
}

function codesOf({ constant, perm }: Weight): Codes {
  const matrix =
    constant instanceof SparseTensor
      ? parseLayout(constant.stored.layout).decode(constant.stored)
      : copied(constant, perm);
  const scales = quantizeRows(matrix);
  return { matrix, scales: Tensor.from(constant.dtype, [matrix.rows], scales) };
}

function copied(constant: Tensor, perm: readonly number[]): Matrix {
  const matrix = toMatrix(constant, perm);
  return { ...matrix, data: matrix.data.slice() };
}

/** A sparse weight with int8 values and a scale a row, in its layout. */
export function sparseInt8({ constant }: Weight): SparseTensor {
  const sparse = constant as SparseTensor;
  const layout = parseLayout(sparse.stored.layout);
  const matrix = layout.decode(sparse.stored);
  const stored = layout.encode(matrix, storedMask(sparse), { values: "int8", dtype: sparse.dtype });
  return new SparseTensor(sparse.shape, sparse.perm, stored);
}

/** Symmetric int8 for each output channel: DequantizeLinear of the codes makes the weight. Sparse weights hold their values so. */
export function weightOnly(weight: Weight, opset: number): QuantizedConstant {
  if (weight.constant instanceof SparseTensor) {
    const constant = sparseInt8(weight);
    return { edit: { constant, added: new Map(), nodes: [], readers: new Map() }, bytes: constant.byteLength };
  }
  const { levels, scales, added, bytes } = constantsOf(weight);
  return { edit: { added, nodes: [dequantized(weight, levels, scales, opset)], readers: new Map() }, bytes };
}

/** The weight's codes (sparse where it is) and scales as constants. */
function constantsOf(weight: Weight) {
  const { constant, perm, name } = weight;
  const { matrix, scales: factors } = codesOf(weight);
  const codes: Constant =
    constant instanceof SparseTensor
      ? new SparseTensor(
          constant.shape,
          constant.perm,
          parseLayout(constant.stored.layout).encode(matrix, storedMask(constant), { values: "int8", dtype: "int8" }),
        )
      : fromMatrix(matrix, constant.shape, perm, "int8");
  const levels = new Value(`${name}_quantized`, { dtype: "int8", shape: constant.shape });
  const scales = new Value(`${name}_scale`, { dtype: factors.dtype, shape: factors.shape });
  const added = new Map<Value, Constant>([
    [levels, codes],
    [scales, factors],
  ]);
  return { levels, scales, added, bytes: codes.byteLength + factors.byteLength };
}

const dequantized = ({ perm, value, name }: Weight, levels: Value, scales: Value, opset: number): Node =>
  nodeOf("DequantizeLinear", [levels, scales], [value], opset, `${name}_dequantize`, attributesOf({ axis: perm[0]! }));

/**
 * As onnxruntime's `quantize_dynamic` does it: x of each MatMul and Gemm is quantized as it comes, DynamicQuantizeLinear → MatMulInteger → Cast → Mul
 * [→ Add], the weight symmetric for each output channel. What else reads the weight gets it as `weightOnly` gives it.
 * @param elsewhere whether others than `weight.readers` read it.
 */
export function dynamic(
  weight: Weight,
  products: ReadonlyMap<Node, Product>,
  opset: number,
  elsewhere: boolean,
): QuantizedConstant {
  const { levels, scales, added, bytes } = constantsOf(weight);
  const { constant } = weight;
  const nodes: Node[] = [];
  const transposed = new Value(`${levels.name}_transposed`);
  const readers = new Map<Node, ReaderEdit>();
  for (const [node, { x, outputsFirst, bias }] of products) {
    if (outputsFirst && nodes.length === 0)
      nodes.push(nodeOf("Transpose", [levels], [transposed], opset, "", attributesOf({ perm: [1, 0] })));
    readers.set(node, (_, quantized) => {
      const [codes, scale, zeroPoint] = quantized(x);
      const y = node.outputs[0]!;
      const [sums, floats, factor] = ["integer", "float", "scale"].map((part) => new Value(`${y.name}_${part}`)) as [
        Value,
        Value,
        Value,
      ];
      const product = bias === null ? y : new Value(`${y.name}_product`);
      const made = [
        nodeOf("MatMulInteger", [codes, outputsFirst ? transposed : levels, zeroPoint], [sums], opset, node.name),
        nodeOf("Cast", [sums], [floats], opset, "", attributesOf({ to: 1 })),
        nodeOf("Mul", [scale, scales], [factor], opset, ""),
        nodeOf("Mul", [floats, factor], [product], opset, ""),
      ];
      return bias === null ? made : [...made, nodeOf("Add", [product, bias], [y], opset, "")];
    });
  }
  if (constant instanceof SparseTensor) {
    if (products.size === weight.readers.length && !elsewhere) return { edit: { added, nodes, readers }, bytes };
    const rest = sparseInt8(weight);
    return { edit: { constant: rest, added, nodes, readers }, bytes: bytes + rest.byteLength };
  }
  // Dropped as dead code where nobody reads it.
  return { edit: { added, nodes: [...nodes, dequantized(weight, levels, scales, opset)], readers }, bytes };
}

/** A MatMul or Gemm as x · W [+ bias]. */
export interface Product {
  readonly x: Value;
  /** The weight is [outputs, inputs]. */
  readonly outputsFirst: boolean;
  readonly bias: Value | null;
}

/** The nodes of a weight's readers that are x · W [+ bias] of W's own dtype, W on the right. */
export function productsOf({ readers, value, perm, constant }: Weight): ReadonlyMap<Node, Product> {
  const products = new Map<Node, Product>();
  if (constant.shape.length !== 2) return products;
  for (const node of readers) {
    const number = (name: string, fallback: number): number => Number(node.attributes.get(name)?.value ?? fallback);
    const [x, w, bias] = node.inputs;
    if (node.domain !== "" || !x || !w || x === value) continue;
    // Read through a Transpose or directly: `perm` is [0, 1] where outputs come first in the constant.
    const outputsFirst = perm[0] === 0;
    if (node.op === "MatMul") {
      const direct = w === value;
      if (direct === outputsFirst) continue;
      products.set(node, { x, outputsFirst, bias: null });
    }
    if (node.op === "Gemm" && w === value) {
      const plain = number("alpha", 1) === 1 && number("beta", 1) === 1 && number("transA", 0) === 0;
      if (plain && (number("transB", 0) !== 0) === outputsFirst)
        products.set(node, { x, outputsFirst, bias: bias ?? null });
    }
  }
  return products;
}
