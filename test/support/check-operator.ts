import type { AttributeLike, Dim, ValueType } from "../../src/graph/index.js";
import { type Operand, operatorOf, operators } from "../../src/ops/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { infer, nodeOf, type RunOptions, run } from "./run-operator.js";

const named = (dim: number): Dim => `n${dim}`;

/** What inference may know of an input's shape. Equal dimensions have equal names. */
const KNOWLEDGE: Readonly<Record<string, (shape: readonly number[]) => ValueType["shape"]>> = {
  shapes: (shape) => shape,
  names: (shape) => shape.map(named),
  "some names": (shape) => shape.map((dim, axis) => (axis % 2 === 0 ? named(dim) : dim)),
  nothing: () => null,
};

/**
 * Evaluates one node as `run` does, and checks besides that what its inference says is true of the outputs when it knows less: no
 * values but those of its `shapeInputs`, and of the shapes all, names for dimensions, or nothing.
 */
export function checkOperator(
  op: string,
  inputs: readonly (Tensor | null)[],
  attributes: Readonly<Record<string, AttributeLike>> = {},
  options: RunOptions = {},
): readonly Tensor[] {
  const results = run(op, inputs, attributes, options);
  const node = nodeOf(op, inputs.length, attributes, options);
  const valued = operatorOf(node, operators).shapeInputs ?? [];
  for (const [known, shapeOf] of Object.entries(KNOWLEDGE)) {
    const operands = inputs.map((input, i): Operand | null => {
      if (input === null) return null;
      const value = valued.includes(i) ? input : undefined;
      return { type: { dtype: input.dtype, shape: shapeOf(input.shape) }, value };
    });
    const types = infer(node, operands);
    results.forEach((result, i) => {
      if (!allows(types[i]!, result, known === "shapes")) {
        const said = `${types[i]!.dtype} [${types[i]!.shape}] inferred, ${result.dtype} [${result.shape}] evaluated`;
        throw new Error(`${op}, given ${known}, output ${i}: ${said}`);
      }
    });
  }
  return results;
}

/** Whether a tensor is what its type says; where `all` shapes were known, the type must say all. */
function allows(type: ValueType, tensor: Tensor, all: boolean): boolean {
  if (type.dtype !== tensor.dtype) return false;
  if (type.shape === null) return !all;
  const agrees = (dim: Dim, actual: number | undefined): boolean => {
    if (typeof dim === "number" || all) return dim === actual;
    return !/^n\d+$/.test(dim) || dim === `n${actual}`;
  };
  return type.shape.length === tensor.shape.length && type.shape.every((dim, axis) => agrees(dim, tensor.shape[axis]));
}
