import { parseLayout, SparseTensor } from "../../layouts/index.js";
import { type DataType, NonzeroError, sizeOf, type Tensor } from "../../tensor/index.js";
import type { Attributes } from "../attributes.js";
import { dtypeOfCode } from "../onnx-dtype.js";
import type { Operator } from "../operator.js";

export interface ToDenseAttributes {
  readonly layout: string;
  readonly shape: readonly number[];
  readonly perm: readonly number[];
  readonly dtype: DataType;
}

/** Name and domain of the operator. */
export const toDenseName = { op: "ToDense", domain: "ai.nonzero" } as const;

/**
 * ai.nonzero ToDense, version 1: the dense tensor of a sparse one. How a model file keeps sparse weights: their parts are
 * initializers and the inputs of a ToDense node, whose output is what standard ONNX nodes read.
 *
 * Inputs: the parts of the layout in its documented order (`Layout.parts`), `scales` only with int8 values.
 * Attributes: `layout` (string, as `parseLayout` reads it), `shape` (ints, what the graph sees), `perm` (ints, see SparseTensor),
 * `dtype` (int, a TensorProto.DataType).
 */
export const toDense: Operator<ToDenseAttributes> = {
  name: toDenseName.op,
  domain: toDenseName.domain,
  attributes: readToDense,
  infer: (_inputs, { dtype, shape }) => [{ dtype, shape }],
  evaluate: (inputs, a) => [toSparseTensor(inputs, a).toDense()],
};

/** The attributes of a ToDense node. @throws NonzeroError "invalid-model" naming the field. */
export function readToDense(node: Attributes): ToDenseAttributes {
  const shape = node.ints("shape");
  const perm = node.ints("perm");
  const size = sizeOf(shape);
  if (shape.length === 0 || shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0) || !Number.isSafeInteger(size)) {
    node.fail("shape", `[${shape}] is not the shape of a matrix or of what reshapes to one`);
  }
  if (perm.length !== shape.length || !shape.every((_, axis) => perm.includes(axis))) {
    node.fail("perm", `[${perm}] does not permute the axes of shape [${shape}]`);
  }
  return { layout: node.string("layout"), shape, perm, dtype: dtypeOfCode(node.int("dtype"), "dtype") };
}

/** The sparse tensor that a ToDense node stands for, its parts checked. @throws NonzeroError "invalid-model" or "layout". */
export function toSparseTensor(inputs: readonly (Tensor | null)[], a: ToDenseAttributes): SparseTensor {
  const layout = parseLayout(a.layout);
  const parts: Record<string, Tensor> = {};
  inputs.forEach((part, i) => {
    const name = layout.parts[i];
    if (name === undefined || part === null) {
      throw new NonzeroError("invalid-model", `layout ${a.layout} has the parts ${layout.parts.join(", ")}`, {
        field: `input ${i}`,
      });
    }
    parts[name] = part;
  });
  const [rows, ...rest] = a.perm.map((axis) => a.shape[axis] as number);
  const stored = { layout: a.layout, rows: rows as number, cols: sizeOf(rest), dtype: a.dtype, parts };
  layout.validate(stored);
  return new SparseTensor(a.shape, a.perm, stored);
}
