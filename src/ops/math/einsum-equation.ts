import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { broadcastDim } from "../infer.js";

/** One term of an equation: its labels in order; "..." stands for the axes of an ellipsis. */
type Term = readonly string[];

/** An einsum equation. `output` is null when it is left to the rule for implicit outputs. */
export interface Equation {
  readonly inputs: readonly Term[];
  readonly output: Term | null;
}

/** An equation whose ellipses are spelled out for operands of known rank; an ellipsis' axes have the labels ".0", ".1", …, the last axis ".0". */
export interface BoundEquation {
  readonly inputs: readonly Term[];
  readonly output: Term;
  /** Labels that are summed over. */
  readonly summed: Term;
  readonly dims: ReadonlyMap<string, Dim>;
}

/** Reads an equation as numpy.einsum does: "ij,jk->ik", "...ii->...i", "i,j". @throws NonzeroError "invalid-model" when it is malformed. */
export function parseEquation(text: string): Equation {
  const compact = text.replace(/\s/g, "");
  const [left, right, ...more] = compact.split("->");
  if (left === undefined || more.length > 0) throw malformed(text, "it has more than one '->'");
  const inputs = left.split(",").map((term) => parseTerm(term, text));
  const output = right === undefined ? null : parseTerm(right, text);
  if (output !== null && new Set(output).size < output.length) throw malformed(text, "the output repeats a label");
  const known = new Set(inputs.flat());
  for (const label of output ?? []) {
    if (label !== "..." && !known.has(label)) throw malformed(text, `the output's label '${label}' is in no input`);
  }
  return { inputs, output };
}

function parseTerm(term: string, text: string): Term {
  const labels = term.match(/\.\.\.|[A-Za-z]/g) ?? [];
  if (labels.join("") !== term) throw malformed(text, `'${term}' holds more than letters and an ellipsis`);
  if (labels.filter((label) => label === "...").length > 1) throw malformed(text, `'${term}' has two ellipses`);
  return labels;
}

const malformed = (text: string, why: string): NonzeroError =>
  new NonzeroError("invalid-model", `equation '${text}': ${why}`, { field: "equation" });

/** The equation for operands of these shapes. @throws NonzeroError "shape" when ranks or dimensions do not fit. */
export function bindEquation({ inputs, output }: Equation, shapes: readonly (readonly Dim[])[]): BoundEquation {
  if (shapes.length !== inputs.length) {
    throw new NonzeroError("shape", `the equation has ${inputs.length} operands, the node ${shapes.length}`);
  }
  const widths = inputs.map((term, i) => ellipsisWidth(term, shapes[i]!));
  const bound = inputs.map((term, i) => spellOut(term, widths[i]!));
  const dims = new Map<string, Dim>();
  bound.forEach((term, i) => {
    term.forEach((label, axis) => {
      const [have, dim] = [dims.get(label) ?? 1, shapes[i]![axis]!];
      const joined = broadcastDim(have, dim);
      if (joined === null) throw new NonzeroError("shape", `label '${label}' is both ${have} and ${dim} long`);
      dims.set(label, joined);
    });
  });
  const width = Math.max(0, ...widths);
  const result = output === null ? implicitOutput(bound, width) : spellOut(output, width);
  return { inputs: bound, output: result, summed: [...dims.keys()].filter((label) => !result.includes(label)), dims };
}

function ellipsisWidth(term: Term, shape: readonly Dim[]): number {
  const hasEllipsis = term.includes("...");
  const width = shape.length - (hasEllipsis ? term.length - 1 : term.length);
  if (width < 0 || (width > 0 && !hasEllipsis)) {
    throw new NonzeroError("shape", `'${term.join("")}' does not label the axes of shape [${shape}]`);
  }
  return width;
}

const spellOut = (term: Term, width: number): Term =>
  term.flatMap((label) => (label === "..." ? Array.from({ length: width }, (_, i) => `.${width - 1 - i}`) : label));

/** The ellipsis' axes, then the labels that appear just once, in alphabetical order. */
function implicitOutput(inputs: readonly Term[], width: number): Term {
  const labels = inputs.flat().filter((label) => !label.startsWith("."));
  const single = labels.filter((label) => labels.indexOf(label) === labels.lastIndexOf(label));
  return [...spellOut(["..."], width), ...single.sort((a, b) => (a < b ? -1 : 1))];
}
