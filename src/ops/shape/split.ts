import { NonzeroError, normalizeAxis } from "../../tensor/index.js";
import { intsOf, knownInts, need } from "../infer.js";
import type { Operator } from "../operator.js";
import { unknownDim } from "./dims.js";
import { cut } from "./move.js";

interface SplitAttributes {
  readonly axis: number;
  /** Before opset 13; null when absent or in input 1. */
  readonly split: readonly number[] | null;
  readonly outputs: number;
  /** From opset 18 the last part may be shorter; before, equal parts must divide the axis. */
  readonly ragged: boolean;
}

/** ONNX Split: the input cut along `axis` into parts of the given lengths (attribute before opset 13, input 1 since), or into equal ones. */
export const split: Operator<SplitAttributes> = {
  name: "Split",
  domain: "",
  shapeInputs: [1],
  attributes(node) {
    const outputs = node.node.outputs.length;
    const asked = node.version >= 18 ? node.int("num_outputs", outputs) : outputs;
    if (asked !== outputs) node.fail("num_outputs", `${asked} outputs are asked for, the node has ${outputs}`);
    return {
      axis: node.int("axis", 0),
      split: node.version < 13 ? (node.optional("split", "ints") ?? null) : null,
      outputs,
      ragged: node.version >= 18,
    };
  },
  infer(inputs, a) {
    const { dtype, shape } = need(inputs, 0).type;
    if (shape === null) return Array.from({ length: a.outputs }, () => ({ dtype, shape: null }));
    const axis = normalizeAxis(a.axis, shape.length);
    const dim = shape[axis]!;
    const given = a.split ?? knownInts(inputs[1]);
    const unknown = given === undefined && (inputs[1] != null || (typeof dim === "string" && a.outputs > 1));
    if (unknown) return Array.from({ length: a.outputs }, () => ({ dtype, shape: shape.with(axis, unknownDim()) }));
    const parts = typeof dim === "string" ? (given ?? [dim]) : lengths(dim, given, a);
    return parts.map((part) => ({ dtype, shape: shape.with(axis, part) }));
  },
  evaluate(inputs, a) {
    const x = need(inputs, 0);
    const axis = normalizeAxis(a.axis, x.shape.length);
    const given = a.split ?? (inputs[1] == null ? undefined : intsOf(inputs[1]));
    let start = 0;
    return lengths(x.shape[axis]!, given, a).map((length) => {
      start += length;
      return cut(x, axis, start - length, length);
    });
  },
};

function lengths(dim: number, given: readonly number[] | undefined, a: SplitAttributes): readonly number[] {
  if (given !== undefined) {
    const sum = given.reduce((total, length) => total + length, 0);
    if (given.length !== a.outputs || given.some((length) => length < 0) || sum !== dim)
      throw new NonzeroError("shape", `[${given}] does not split ${dim} into ${a.outputs} outputs`, { field: "split" });
    return given;
  }
  if (!a.ragged && dim % a.outputs !== 0)
    throw new NonzeroError("shape", `${dim} does not split into ${a.outputs} equal parts`);
  const part = Math.ceil(dim / a.outputs);
  return Array.from({ length: a.outputs }, (_, i) => Math.max(0, Math.min(part, dim - i * part)));
}
