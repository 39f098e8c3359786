import type { Specialized, Step } from "../../compiler/index.js";
import { type Constant, type Node, Value } from "../../graph/index.js";
import { parseLayout, SparseTensor } from "../../layouts/index.js";
import { type Mask, maskOf } from "../../sparsity/index.js";
import { byteLengthOf, sizeOf } from "../../tensor/index.js";
import { volumeConvSpec } from "../specs/conv/conv.js";
import { linearSpec } from "../specs/matmul/linear.js";
import type { NodeContext } from "../specs/node.js";
import type { Choices } from "./choices.js";

/** How a sparse weight is kept for the time that a plan uses it: as it is "stored", "dense", or in the layout of that name. */
export type Form = string;

/** What a node does with a sparse weight. */
export interface WeightUse {
  readonly op: "linear" | "conv";
  /** Outputs, and inputs of each. */
  readonly rows: number;
  readonly cols: number;
  /** Tokens or pixels that each weight multiplies. */
  readonly tokens: number;
  /** Layout and dtype of the values. */
  readonly layout: string;
  /** Stored values. */
  readonly kept: number;
}

/** The forms that a device may keep a weight in for a use: first what is predicted to be the fastest, then what is worth measuring. */
export type FormsOf = (weight: SparseTensor, use: WeightUse) => readonly [Form, ...Form[]];

/** Bytes of weights that a session makes dense: it may keep them sparse besides, for other numbers of tokens. */
const MOST_DENSE = 256 << 20;

/** The forms of a session's weights, each made once. */
export class FormCache {
  readonly #forms = new WeakMap<SparseTensor, Map<Form, Constant>>();
  #dense = 0;

  /** Whether there is room for that form, or it is there already. */
  affords(weight: SparseTensor, form: Form): boolean {
    if (form !== "dense" || this.#forms.get(weight)?.has(form)) return true;
    return this.#dense + denseBytes(weight) <= MOST_DENSE;
  }

  get(weight: SparseTensor, form: Form): Constant {
    let forms = this.#forms.get(weight);
    if (forms === undefined) {
      forms = new Map();
      this.#forms.set(weight, forms);
    }
    const known = forms.get(form);
    if (known !== undefined) return known;
    const made = form === "dense" ? weight.toDense() : inLayout(weight, form);
    if (form === "dense") this.#dense += denseBytes(weight);
    forms.set(form, made);
    return made;
  }
}

const denseBytes = ({ dtype, shape }: SparseTensor): number => byteLengthOf(dtype, sizeOf(shape));

function inLayout({ shape, perm, stored }: SparseTensor, form: Form): SparseTensor {
  const matrix = parseLayout(stored.layout).decode(stored);
  const values = stored.parts.values!.dtype as "float32";
  return new SparseTensor(
    shape,
    perm,
    parseLayout(form).encode(matrix, maskOf(matrix), { values, dtype: stored.dtype }),
  );
}

/** Which entries of the matrix [outputs, inputs] are not zero. */
export const maskOfWeight = (weight: SparseTensor): Mask =>
  maskOf(parseLayout(weight.stored.layout).decode(weight.stored));

/** The graph with each sparse weight of a product or convolution in the form that suits its use there. */
export function storedFor(spec: Specialized, formsOf: FormsOf, choices: Choices, cache: FormCache): Specialized {
  const constants = new Map(spec.constants);
  const types = new Map(spec.types);
  const at: NodeContext = { type: (value) => spec.types.get(value)!, constant: (value) => spec.constants.get(value) };
  const replaced = new Map<Value, Map<Form, Value>>();
  const inForm = (weight: Value, form: Form): Value => {
    const forms = replaced.get(weight) ?? new Map<Form, Value>();
    replaced.set(weight, forms);
    const value = forms.get(form) ?? new Value(weight.name, weight.type);
    forms.set(form, value);
    constants.set(value, cache.get(spec.constants.get(weight) as SparseTensor, form));
    types.set(value, spec.types.get(weight)!);
    return value;
  };
  const steps = spec.steps.map((step): Step => {
    const found = step.captures.size > 0 || !isKnown(step.node, spec) ? null : useOf(step.node, at);
    if (found === null) return step;
    const [input, weight, use] = found;
    const constant = spec.constants.get(weight) as SparseTensor;
    const form = choices.pick("layout", use, formsOf(constant, use), { step, spec });
    if (form === "stored" || form === constant.stored.layout || !cache.affords(constant, form)) return step;
    const inputs = step.node.inputs.map((value, i) => (i === input ? inForm(weight, form) : value));
    return { ...step, node: { ...step.node, inputs } };
  });
  return replaced.size === 0 ? spec : { ...spec, steps, constants, types };
}

const isKnown = ({ inputs, outputs }: Node, { types }: Specialized): boolean =>
  [...inputs, ...outputs].every((value) => value === null || types.has(value));

/** The input of a node that is a sparse weight, and what the node does with it. */
function useOf(node: Node, at: NodeContext): [input: number, weight: Value, use: WeightUse] | null {
  if (!node.inputs.some((value) => value !== null && at.constant(value) instanceof SparseTensor)) return null;
  const about = (input: number, op: WeightUse["op"], tokens: number): ReturnType<typeof useOf> => {
    const weight = node.inputs[input]!;
    const constant = at.constant(weight);
    if (!(constant instanceof SparseTensor) || constant.stored.layout.startsWith("dense")) return null;
    const { rows, cols, layout, parts } = constant.stored;
    const values = parts.values!;
    return [input, weight, { op, rows, cols, tokens, layout: `${layout}/${values.dtype}`, kept: values.size }];
  };
  const linear = linearSpec(node, at);
  if (linear !== null) return about(linear.weight, "linear", linear.N * linear.batch);
  const conv = volumeConvSpec(node, at);
  return conv === null ? null : about(1, "conv", conv.batch * sizeOf(conv.output));
}
