/**
 * What an element of an operation is worth in arithmetic of one instruction, where that is more than one: polynomials, divisions, both
 * sides of a selection. From times of the WebAssembly kernels next to each other (Zen 5, Node 20).
 */
const OPERATIONS: Readonly<Record<string, number>> = {
  ...{ Div: 3, Reciprocal: 3, Sqrt: 7, HardSwish: 2, Softsign: 3, Sign: 3 },
  ...{ Exp: 12, Elu: 18, Celu: 18, Selu: 18, Sigmoid: 18, Swish: 19, Tanh: 24, FastGelu: 28, Gelu: 32 },
  ...{ Sin: 34, Cos: 34, Log: 38, Erf: 38, Softplus: 100, Mish: 160, Pow: 165 },
};

/** Operations for each element of an elementwise step, or of an activation by its name: 1 for what is one instruction, 0 for none. */
export const operationsOf = (name: string): number => (name === "" ? 0 : (OPERATIONS[name] ?? 1));
