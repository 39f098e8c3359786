import { attributesOf, type Constant, type Node, Value } from "../graph/index.js";
import { quantizeGroups, toMatrix } from "../layouts/index.js";
import type { Weight } from "../prune/index.js";
import { Tensor } from "../tensor/index.js";
import { productsOf, type QuantizedConstant } from "./int8.js";
import { nodeOf, type ReaderEdit } from "./plan.js";

export interface Int4Options {
  readonly groupSize: number;
  readonly symmetric: boolean;
}

/**
 * 4-bit codes with a scale for each group of inputs: com.microsoft MatMulNBits for each MatMul and Gemm, GatherBlockQuantized for each Gather. Null, with the
 * reason, where another node reads the weight: there is no operator for it.
 * @param elsewhere whether others than `weight.readers` read it.
 */
export function fourBits(
  weight: Weight,
  { groupSize, symmetric }: Int4Options,
  opset: number,
  elsewhere: boolean,
): QuantizedConstant | string {
  const { constant, perm, rows, cols, name, readers } = weight;
  const products = productsOf(weight);
  const gathers = new Set(readers.filter((node) => node.op === "Gather" && node.domain === "" && axisOf(node) === 0));
  const other = readers.find((node) => !products.has(node) && !gathers.has(node));
  if (other !== undefined) return `no operator with 4-bit weights does what ${other.op} does with it`;
  if (elsewhere) return "nodes that are no product and no table read it too";
  if (gathers.size > 0 && (perm[0] !== 0 || cols % 2 !== 0)) return "its rows are not whole bytes of 4-bit codes";
  const groups = Math.ceil(cols / groupSize);
  const { codes, scales, zeroPoints } = quantizeGroups(toMatrix(constant as Tensor, perm), groupSize, symmetric);
  const added = new Map<Value, Constant>();
  const add = (part: string, tensor: Tensor): Value => {
    const value = new Value(`${name}_${part}`, { dtype: tensor.dtype, shape: tensor.shape });
    added.set(value, tensor);
    return value;
  };
  const whole = cols % groupSize === 0;
  const factors = Tensor.from(constant.dtype, [rows, groups], scales);
  const scale = add("scale", products.size > 0 ? factors.reshape([rows * groups]) : factors);
  const zeroRow = Math.ceil(groups / 2);
  const zeros = symmetric ? null : packedRows(zeroPoints, rows, groups, zeroRow, 8);
  const zero =
    zeros && add("zero_point", new Tensor("uint8", products.size > 0 ? [rows * zeroRow] : [rows, zeroRow], zeros));
  const nodes: Node[] = [];
  const edits = new Map<Node, ReaderEdit>();
  const blob = groupSize / 2;
  let levels: Value | null = null;
  if (products.size > 0) {
    const packed = packedRows(codes, rows, cols, groups * blob, 8);
    levels = add("quantized", new Tensor("uint8", [rows, groups, blob], packed));
    const attributes = attributesOf({ K: cols, N: rows, bits: 4, block_size: groupSize });
    for (const [node, { x, bias }] of products) {
      const y = node.outputs[0]!;
      const product = bias === null ? y : new Value(`${y.name}_product`);
      const inputs = zero === null ? [x, levels, scale] : [x, levels, scale, zero];
      const matmul = nodeOf("MatMulNBits", inputs, [product], 1, node.name, attributes, "com.microsoft");
      edits.set(node, () => (bias === null ? [matmul] : [matmul, nodeOf("Add", [product, bias], [y], opset, "")]));
    }
  }
  if (gathers.size > 0) {
    const shared = levels !== null;
    const reshape = (from: Value, dims: readonly number[]): Value => {
      const made = new Value(`${from.name}_table`);
      const shape = add(`${from.name}_table_shape`.slice(name.length + 1), Tensor.from("int64", [dims.length], dims));
      nodes.push(nodeOf("Reshape", [from, shape], [made], opset, ""));
      return made;
    };
    const table =
      levels !== null && whole
        ? reshape(levels, [rows, cols / 2])
        : add("table", new Tensor("uint8", [rows, cols / 2], packedRows(codes, rows, cols, cols / 2, 8)));
    const tableScale = shared ? reshape(scale, [rows, groups]) : scale;
    const tableZero = zero === null ? null : shared ? reshape(zero, [rows, zeroRow]) : zero;
    const attributes = attributesOf({ bits: 4, block_size: groupSize, gather_axis: 0, quantize_axis: 1 });
    for (const node of gathers) {
      const inputs = [table, node.inputs[1]!, tableScale, ...(tableZero === null ? [] : [tableZero])];
      const gather = nodeOf(
        "GatherBlockQuantized",
        inputs,
        node.outputs as Value[],
        1,
        node.name,
        attributes,
        "com.microsoft",
      );
      edits.set(node, () => [gather]);
    }
  }
  const bytes = [...added.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  return { edit: { added, nodes, readers: edits }, bytes };
}

const axisOf = (node: Node): number => Number(node.attributes.get("axis")?.value ?? 0);

/** Rows of 4-bit numbers, two to a byte, the first in the lower half; `rest` fills a row's last bytes. */
function packedRows(numbers: Uint8Array, rows: number, cols: number, rowBytes: number, rest: number): Uint8Array {
  const packed = new Uint8Array(rows * rowBytes).fill(rest | (rest << 4));
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col += 2) {
      const high = col + 1 < cols ? numbers[row * cols + col + 1]! : rest;
      packed[row * rowBytes + (col >> 1)] = numbers[row * cols + col]! | (high << 4);
    }
  }
  return packed;
}
