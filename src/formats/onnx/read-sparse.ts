import { type Constant, type Node, subgraphsOf, type Value } from "../../graph/index.js";
import { NonzeroError, sizeOf, type Tensor } from "../../tensor/index.js";
import type { SparseTensorProto } from "./onnx_pb.js";
import { dimsOf } from "./read-tensor.js";
import { type Coordinates, fillDense, fitsLayouts, type Growth, toCsr } from "./sparse-coo.js";

/** The entries of a SparseTensorProto, in either form: indices [entries] of row-major offsets or [entries, rank] of coordinates. */
export function coordinatesOf(
  proto: SparseTensorProto,
  read: (proto: NonNullable<SparseTensorProto["values"]>) => Tensor,
): Coordinates {
  if (proto.values === undefined) fail("values", "the values are missing");
  const values = read(proto.values);
  const shape = dimsOf(proto.dims);
  const size = sizeOf(shape);
  if (shape.length === 0 || !Number.isSafeInteger(size)) fail("dims", `[${shape}] is not the shape of a sparse tensor`);
  const count = values.size;
  if (values.shape.length !== 1) fail("values", `expected one axis, not shape [${values.shape}]`);
  if (values.dtype === "string") fail("values", "a sparse tensor cannot hold strings");
  const offsets = new Float64Array(count);
  if (count > 0 || proto.indices !== undefined) {
    if (proto.indices === undefined) fail("indices", "the indices are missing");
    const indices = read(proto.indices);
    const linear = indices.shape.length === 1;
    const expected = linear ? [count] : [count, shape.length];
    if (indices.dtype !== "int64" || `${indices.shape}` !== `${expected}`)
      fail("indices", `expected int64[${expected}], not ${indices.dtype}[${indices.shape}]`);
    const numbers = indices.numbers();
    const bounds = linear ? [size] : shape;
    for (let i = 0; i < count; i++) {
      let offset = 0;
      bounds.forEach((bound, axis) => {
        const index = numbers[i * bounds.length + axis] as number;
        if (!(index >= 0 && index < bound)) fail("indices", `entry ${i} has index ${index}, outside [0, ${bound})`);
        offset = offset * bound + index;
      });
      if (i > 0 && offset <= (offsets[i - 1] as number))
        fail("indices", `entry ${i} does not come after the one before`);
      offsets[i] = offset;
    }
  }
  return { dtype: values.dtype, shape, offsets, values };
}

/**
 * A sparse tensor of the file as a constant: csr in the order that its first reader wants (see SparseTensor). Dense where no layout
 * holds it: other dtypes than the layouts' own, and one axis or more than two outside Conv, of which no reader makes a matrix.
 */
export function sparseConstant(entries: Coordinates, value: Value, reader: Node | undefined, growth: Growth): Constant {
  const perm = readingOrder(value, entries.shape.length, reader);
  return perm !== null && fitsLayouts(entries.dtype) ? toCsr(entries, perm, growth) : fillDense(entries, growth);
}

/** The `perm` that a reader of the value wants; null when it reads no matrix. */
function readingOrder(value: Value, rank: number, reader: Node | undefined): readonly number[] | null {
  const at = reader?.inputs.indexOf(value);
  if (rank > 2 && reader?.op === "Conv" && at === 1) {
    return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
  }
  if (rank !== 2) return null;
  if (reader?.op === "MatMul" && at === 1) return [1, 0];
  const transposed = reader?.attributes.get("transB")?.value === 1;
  return reader?.op === "Gemm" && at === 1 && !transposed ? [1, 0] : [0, 1];
}

/** The first node that reads each value, those in subgraphs counted. */
export function firstReaders(nodes: readonly Node[], readers = new Map<Value, Node>()): ReadonlyMap<Value, Node> {
  for (const node of nodes) {
    for (const input of node.inputs) if (input !== null && !readers.has(input)) readers.set(input, node);
    for (const graph of subgraphsOf(node)) firstReaders(graph.nodes, readers);
  }
  return readers;
}

function fail(field: string, reason: string): never {
  throw new NonzeroError("invalid-model", reason, { field });
}
