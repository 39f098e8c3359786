import type { Dim } from "../../graph/index.js";
import { NonzeroError } from "../../tensor/index.js";

/** Arithmetic on dimensions: on numbers the number, on names a text of the expression, the same text for the same expression. */

/** A name as an operand of a larger expression: in parentheses unless it is one word or one call. */
const operand = (name: string): string => (isAtom(name) ? name : `(${name})`);

function isAtom(name: string): boolean {
  if (/^[\w.#]+$/.test(name)) return true;
  if (!/^\w*\(.*\)$/.test(name)) return false;
  let depth = 0;
  for (let i = 0; i < name.length - 1; i++) {
    if (name[i] === "(") depth++;
    else if (name[i] === ")" && --depth === 0) return false; // the first parenthesis closes before the end: f(a)+g(b)
  }
  return true;
}

/** dim + constant. */
export function addDim(dim: Dim, constant: number): Dim {
  if (typeof dim === "number") return dim + constant;
  if (constant === 0) return dim;
  return `${operand(dim)}${constant > 0 ? "+" : "-"}${Math.abs(constant)}`;
}

/** a + b. */
export function sumDim(a: Dim, b: Dim): Dim {
  if (typeof b === "number") return addDim(a, b);
  return typeof a === "number" ? addDim(b, a) : `${operand(a)}+${operand(b)}`;
}

/** dim · factor. */
export function multiplyDim(dim: Dim, factor: Dim): Dim {
  if (typeof dim === "number" && typeof factor === "number") return dim * factor;
  if (factor === 1) return dim;
  if (dim === 1) return factor;
  return `${typeof dim === "number" ? dim : operand(dim)}*${typeof factor === "number" ? factor : operand(factor)}`;
}

/** dim / divisor, which must divide it. @throws NonzeroError "shape" when a known dimension is no multiple. */
export function divideDim(dim: Dim, divisor: number, what: string): Dim {
  if (divisor === 1) return dim;
  if (typeof dim === "string") return `${operand(dim)}/${divisor}`;
  if (!(divisor > 0) || dim % divisor !== 0)
    throw new NonzeroError("shape", `${what} ${dim} is no multiple of ${divisor}`);
  return dim / divisor;
}

/** floor(dim · scale). */
export function scaleDim(dim: Dim, scale: number): Dim {
  if (typeof dim === "number") return Math.floor(dim * scale);
  return Number.isInteger(scale) ? multiplyDim(dim, scale) : `floor(${operand(dim)}*${scale})`;
}

/** floor(dim / divisor) or ceil(dim / divisor). */
export function quotientDim(dim: Dim, divisor: number, rounding: "floor" | "ceil"): Dim {
  if (typeof dim === "number") return Math[rounding](dim / divisor);
  return divisor === 1 ? dim : `${rounding}(${operand(dim)}/${divisor})`;
}

let unknowns = 0;

/** A name that no other dimension has, for one that depends on values which are not known yet. */
export const unknownDim = (hint: string): Dim => `${hint}#${++unknowns}`;
